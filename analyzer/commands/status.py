"""What `midwatch status` prints."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from analyzer.commands.run_settings import StatusSettings
from analyzer.supervisor.disk_pause import TRIAL_BYTES
from analyzer.supervisor.lease import holder
from shared.errors import RunError, SchemaError
from shared.findings.text import counted, duration
from shared.json_answer import print_json
from shared.notices import newest_notices
from shared.records import KEEPS_THE_NEXT, CheckpointState, CheckpointStatus, Notice, Status
from shared.results import checkpoint_label
from shared.run import Run, find_runs
from shared.status_file import read_status

STYLES = {
    CheckpointState.DONE: "green",
    CheckpointState.RUNNING: "blue",
    CheckpointState.RETRYING: "yellow",
    CheckpointState.QUARANTINED: "red",
    CheckpointState.REJECTED: "red",
    CheckpointState.GONE: "red",
}
FEW, NEWEST, MOST = 20, 5, 40
"""Checkpoints that are listed: all of so few; of more the newest, and at most so many that need a word."""


def show_status(settings: StatusSettings) -> None:
    """Print the status of one run, or of each run in a folder. Raises RunError when there is none to print."""
    root = settings.opened()
    paths = find_runs(settings.run.expanduser().resolve()) if settings.out is None else [root.path]
    looks = [(path, _look(path, settings.out)) for path in paths] or [(root.out, _read(root))]
    found = [look for _, look in looks if not isinstance(look, str)]
    unseen = [(path.name, why) for path, why in looks if isinstance(why, str)]
    if not found:
        raise RunError(" ".join(why for _, why in unseen))
    if settings.as_json:
        return print_json("status", root.path, {"runs": [told(run, status) for run, status in found]})
    for run, status in found:
        _show_one(run, status, whole=settings.show_all)
    for name, why in unseen:
        typer.echo(f"{name}: {why}")
    return None


def _look(path: Path, out: Path | None) -> tuple[Run, Status] | str:
    """A run and its status, or why there is none to read: what is wrong with one does not hide the others."""
    try:
        return _read(Run.at(path, out))
    except RunError as error:
        return str(error)


def _read(run: Run) -> tuple[Run, Status] | str:
    try:
        return run, read_status(run.status)
    except FileNotFoundError:
        return _unseen(run)
    except SchemaError as error:
        return str(error)
    except OSError as error:
        return f"{run.status} cannot be read ({error.strerror})."


def _unseen(run: Run) -> str:
    """Why nothing tells of a run: an analyzer that cannot write looks like one that was never there."""
    try:
        full = shutil.disk_usage(run.out).free < TRIAL_BYTES
    except OSError:
        full = False
    if full:
        return f"The disk of {run.out} is full, so that no analyzer can write there how it goes; free space."
    try:
        other = holder(run.lease, time.time())
    except OSError as error:
        return f"{run.lease} cannot be read ({error.strerror})."
    if other is not None:
        return (
            f"An analyzer (process {other.pid} on {other.host}) has {run.path} and has not written how it goes; "
            "look at what it says itself."
        )
    return f"No analyzer has looked at {run.path} yet; start one with `midwatch watch {run.path}`."


def told(run: Run, status: Status) -> dict[str, Any]:
    """status.json for programs, with what the newest results begin with."""
    notices = [each.model_dump(mode="json") for each in newest_notices(run)]
    gone = status.state != "stopped" and status.is_gone(time.time())
    return {"path": str(run.path), "gone": gone, **status.model_dump(mode="json"), "notices": notices}


def _show_one(run: Run, status: Status, *, whole: bool) -> None:
    notices, console = newest_notices(run), Console()
    console.print(Text(f"{run.name}: {_headline(status, time.time())}"))
    for line in _notes(status):
        console.print(Text(line))
    for notice in notices:
        if notice.sentence not in status.assumed:  # said above
            console.print(notice_line(notice))
    rows = status.checkpoints if whole else worth_a_row(status.checkpoints)
    console.print(_table(rows))
    if left := left_out(status.checkpoints, rows):
        console.print(Text(left))


def worth_a_row(rows: Sequence[CheckpointStatus]) -> list[CheckpointStatus]:
    """The newest, and those of which something is to be said, of many of these the newest, too; all of a few."""
    if len(rows) <= FEW:
        return list(rows)
    newest = {row.checkpoint for row in rows[-NEWEST:]}
    told = [row.checkpoint for row in rows if not _goes_without_saying(row)][-MOST:]
    return [row for row in rows if row.checkpoint in newest.union(told)]


def _goes_without_saying(row: CheckpointStatus) -> bool:
    """Whether its state alone says everything."""
    if row.state == CheckpointState.DONE:
        return not (row.missing or row.cause)
    return row.state == CheckpointState.SKIPPED or (row.state == CheckpointState.QUEUED and not row.cause)


def left_out(rows: Sequence[CheckpointStatus], shown: Sequence[CheckpointStatus]) -> str:
    """ "480 more: 470 done, 10 queued; --all lists them."; empty where all are shown."""
    listed = {row.checkpoint for row in shown}
    states = Counter(row.state.value for row in rows if row.checkpoint not in listed)
    parts = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    return f"{states.total():,} more: {parts}; --all lists them." if states else ""


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
    for running in status.in_work if status.state == "running" else []:
        share = f" {running.done}/{running.total}" if running.total else ""
        first += f" {running.checkpoint}: {running.analysis}{share}, {now - running.started_at:.0f} s."
    late = counted(status.lag_checkpoints, "checkpoint")
    lag = f"{late} behind, the oldest for {duration(status.lag_s)}." if status.lag_checkpoints else ""
    parts = (status.message, first, lag) if status.remedy else (first, status.message, lag)
    return " ".join(part for part in parts if part)


def _table(rows: list[CheckpointStatus]) -> Table:
    """Texts from disk are shown as they are: no markup is read in them."""
    first = [Column("checkpoint", no_wrap=True), "", Column("state", no_wrap=True), Column("done", no_wrap=True)]
    table = Table(*first, *(Column(name, overflow="fold") for name in ("tries", "what to know")))
    for row in rows:
        state = Text(row.state.value, style=STYLES.get(row.state, ""))
        words = [row.checkpoint, checkpoint_label(row.step, row.epoch, row.checkpoint)]
        rest = [_share(row), str(row.attempts or ""), _exception(row)]
        table.add_row(*map(Text, words), state, *map(Text, rest))
    return table


def _share(row: CheckpointStatus) -> str:
    """ "8/8": analyses committed, of those wanted."""
    wanted = len(row.done) + len(row.missing)
    return f"{len(row.done)}/{wanted}" if wanted else ""


def _exception(row: CheckpointStatus) -> str:
    """Why it waits, failed, or is left out; of one that is begun, what is missing."""
    lacks = f"Missing: {', '.join(row.missing)}." if row.done and row.missing else ""
    return " ".join(part for part in (row.cause, lacks) if part)
