"""What `midwatch mirror` does: copies a remote run into one on this disk, once or for as long as it goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from analyzer.commands.mirror_settings import MirrorSettings
from analyzer.commands.progress_line import TimeLeft, on_terminal
from analyzer.commands.stopping import stopping
from analyzer.mirror.address import Address, checked_endpoint, parse_address
from analyzer.mirror.follow import follow, once
from analyzer.mirror.own_mirror import open_mirror
from analyzer.mirror.push import push
from analyzer.mirror.rounds import Mirroring, Round, Told
from analyzer.mirror.source import Source
from shared.errors import RunError, UsageError
from shared.findings.text import counted
from shared.logs import set_up


def mirror(settings: MirrorSettings) -> None:
    """Copy what is complete and end, or go on with --follow. Raises MidwatchError for what is refused."""
    set_up(settings.log_format)
    address = parse_address(settings.url)
    if settings.push and address.protocol == "hf":
        raise UsageError("--push sends results to buckets only; the Hub would make a revision of every file.")
    source = open_source(address, settings)
    stop = threading.Event()
    with (
        open_mirror(settings.run, str(address)) as own,
        _bars(enabled=on_terminal()) as told,
        stopping(stop.set),
    ):
        mirroring = Mirroring(source, own, settings.last, told=told, stopped=stop.is_set)
        sent = [0]

        def after() -> None:
            sent[0] += push(source, own, stop.is_set) if settings.push else 0

        if settings.follow:
            copied, done = follow(mirroring, stop, settings.poll, after), None
        else:
            copied, done = once(mirroring, stop, after)
    _report(settings, address, mirroring, copied, done, sent[0])


def open_source(address: Address, settings: MirrorSettings) -> Source:
    """What lies at the address. Raises UsageError where a package is missing."""
    endpoint = checked_endpoint(settings.endpoint) if settings.endpoint is not None else None
    if address.protocol == "hf":
        from analyzer.mirror.hub import open_hub

        return open_hub(address)
    from analyzer.mirror.bucket import Bucket

    return Bucket(address, endpoint, settings.anonymous)


def _report(
    settings: MirrorSettings,
    address: Address,
    mirroring: Mirroring,
    copied: list[str],
    done: Round | None,
    sent: int,
) -> None:
    """What is here now. Raises RunError where there was nothing to copy."""
    if done is not None and not done.there and not mirroring.stopped():
        raise RunError(f"There is no checkpoint in {address} yet; look at the address, or add --follow.")
    size = f" ({mirroring.bytes / 1e6:,.1f} MB)" if copied else ""
    typer.echo(f"{settings.run}: {counted(len(copied), 'checkpoint')} copied{size}")
    if settings.push:
        typer.echo(f"{address}: {counted(sent, 'file')} of results sent")
    for cause in (done.waiting if done is not None else {}).values():
        typer.echo(f"Not copied: {cause}", err=True)


@contextmanager
def _bars(enabled: bool) -> Iterator[Told]:
    """A progress bar for the checkpoint that is being copied, on stderr."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeLeft(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not enabled, transient=True) as bars:

        def begins(name: str, size: int) -> None:
            bars.add_task(name, total=size)

        def came(count: int) -> None:
            bars.advance(bars.task_ids[-1], count)

        def ends() -> None:
            bars.remove_task(bars.task_ids[-1])

        yield Told(begins, came, ends)
