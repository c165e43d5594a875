"""What `midwatch status` prints."""

from __future__ import annotations

import json
import time

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analyzer.commands.settings import StatusSettings
from shared.errors import RunError
from shared.files import read_record
from shared.findings.text import counted
from shared.notices import newest_notices
from shared.records import KEEPS_THE_NEXT, CheckpointState, CheckpointStatus, Notice, Status
from shared.results import checkpoint_label
from shared.run import Run, find_runs

STYLES = {
    CheckpointState.DONE: "green",
    CheckpointState.RUNNING: "blue",
    CheckpointState.RETRYING: "yellow",
    CheckpointState.QUARANTINED: "red",
    CheckpointState.REJECTED: "red",
    CheckpointState.GONE: "red",
}


def show_status(settings: StatusSettings) -> None:
    """Print the status of one run, or of each run in a folder. Raises RunError when there is none to print."""
    root = Run.at(settings.run, settings.out)
    paths = find_runs(settings.run.expanduser().resolve()) if settings.out is None else [root.path]
    runs = [Run.at(path, settings.out) for path in paths] or [root]
    for run in runs:
        _show_one(run, settings.as_json)


def _show_one(run: Run, as_json: bool) -> None:
    try:
        status = read_record(run.status, Status)
    except FileNotFoundError:
        raise RunError(
            f"No analyzer has looked at {run.path} yet; start one with `midwatch watch {run.path}`."
        ) from None
    notices = newest_notices(run)
    if as_json:
        told = status.model_dump(mode="json") | {"notices": [each.model_dump(mode="json") for each in notices]}
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    console = Console()
    console.print(Text(f"{run.name}: {_headline(status, time.time())}"))
    for line in _notes(status):
        console.print(Text(line))
    for notice in notices:
        if notice.sentence not in status.assumed:  # said above
            console.print(notice_line(notice))
    console.print(_table(status.checkpoints))


def notice_line(notice: Notice) -> Text:
    """One notice for a terminal; no markup is read in it."""
    return Text(f"{notice.level}: {notice.sentence}", style="bold red" if notice.level == "error" else "yellow")


def _notes(status: Status) -> list[str]:
    """What to do, what is lost, what was asked, and what was assumed: a line each."""
    lines = [f"  what to do: {status.remedy}"] if status.remedy else []
    gone = sum(row.state == CheckpointState.GONE for row in status.checkpoints)
    if gone:
        are = "1 checkpoint was" if gone == 1 else f"{gone} checkpoints were"
        lines.append(f"  lost: {are} deleted before being analysed. {KEEPS_THE_NEXT}")
    for each in status.requests:
        where = f"place {each.place}" if each.place else "runs"
        cause = f" ({each.cause})" if each.cause else ""
        lines.append(f"  asked: {each.id}, {where}, {each.done} of {each.total} checkpoints{cause}")
    return [*lines, *(f"  assumed: {sentence}" for sentence in status.assumed)]


def _headline(status: Status, now: float) -> str:
    """The true cause comes first: what a run waits for, before how far behind it is."""
    age = now - status.heartbeat_at
    if status.state == "stopped":
        first = "the analyzer was stopped; `midwatch watch` starts it again."
    elif status.is_gone(now):
        first = f"the analyzer is gone (last sign of life {age:.0f} s ago); `midwatch watch` starts it again."
    else:
        first = f"{status.state} on {status.device}."
    running = status.running
    if running is not None and status.state == "running":
        share = f" {running.done}/{running.total}" if running.total else ""
        first += f" {running.checkpoint}: {running.analysis}{share}, {now - running.started_at:.0f} s."
    late = counted(status.lag_checkpoints, "checkpoint")
    lag = f"{late} behind, the oldest for {_duration(status.lag_s)}." if status.lag_checkpoints else ""
    parts = (status.message, first, lag) if status.remedy else (first, status.message, lag)
    return " ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    """ "95 s", "37 min", "5 h" """
    for most, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def _table(rows: list[CheckpointStatus]) -> Table:
    """Texts from disk are shown as they are: no markup is read in them."""
    first = [Column("checkpoint", no_wrap=True), "", Column("state", no_wrap=True)]
    table = Table(*first, *(Column(name, overflow="fold") for name in ("done", "missing", "tries", "cause")))
    for row in rows:
        state = Text(row.state.value, style=STYLES.get(row.state, ""))
        words = [row.checkpoint, checkpoint_label(row.step, row.epoch, row.checkpoint)]
        rest = [", ".join(row.done), ", ".join(row.missing), str(row.attempts or ""), row.cause or ""]
        table.add_row(*map(Text, words), state, *map(Text, rest))
    return table
