"""What to show in place of a figure that is not there: why it is missing, and what to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dashboard.reading.snapshot import CheckpointView, Snapshot
from dashboard.reading.words import ago, clock
from shared.records import CheckpointState, CheckpointStatus, Status
from shared.run import Run, command
from shared.turns import turn

Kind = Literal["ready", "running", "queued", "failed", "waiting", "absent"]


@dataclass(frozen=True)
class Condition:
    """The state of one analysis of one checkpoint. `title` is ours; `detail` may quote data: draw it as text."""

    kind: Kind
    title: str
    detail: str = ""
    command: str = ""
    """What to type to change it; empty when there is nothing to do."""
    live: bool = False
    """The text counts time: worth drawing again at each heartbeat."""


READY = Condition("ready", "Analysed")


def analyse_command(run: Run, view: CheckpointView, *options: str) -> str:
    return command("analyze", run, "--steps", str(view.step), *options)


def condition(snapshot: Snapshot, view: CheckpointView, analysis: str, now: float) -> Condition:
    """Where `analysis` of the checkpoint stands. `now` is Unix time, seconds."""
    if analysis in view.results:
        return READY
    status, row = snapshot.status, view.row
    if view.row is None and not view.on_disk and not view.results:
        return Condition(
            "absent", "No such checkpoint", f"{view.name} is not in this run; it may have been deleted."
        )
    if status is None:
        detail = snapshot.status_problem or "No analyzer has looked at this run yet."
        return Condition("waiting", "Not analysed yet", detail, command("watch", snapshot.run))
    if row is not None and row.state in _REFUSED:
        return _refused(snapshot.run, view, row)
    if row is not None and row.cause and status.remedy:  # nothing of the run can start: why, before all else
        if row.cause == status.message and not status.is_gone(now):  # an alert says that above, with the command
            return Condition("waiting", "Not analysed yet", "It waits for what is asked at the top of this page.")
        return Condition("waiting", "Not analysed yet", row.cause, status.remedy)
    if row is not None and row.state == CheckpointState.DONE and analysis in row.missing:  # no analyzer would help
        return Condition("absent", "Not computed", row.cause or "")
    if status.state == "stopped" or status.is_gone(now):
        return _nobody_works(snapshot.run, status, now)
    if row is None:
        return Condition("queued", "Not analysed yet", f"The analyzer has not seen {view.name} yet.")
    if analysis not in row.missing:
        return _not_wanted(snapshot.run, view, row, status)
    return _pending(snapshot, status, row, analysis, now)


_REFUSED = (
    CheckpointState.QUARANTINED,
    CheckpointState.REJECTED,
    CheckpointState.SKIPPED,
    CheckpointState.GONE,
)


def _refused(run: Run, view: CheckpointView, row: CheckpointStatus) -> Condition:
    cause = row.cause or "The analyzer gave no cause."
    if row.state == CheckpointState.QUARANTINED:
        detail = f"{cause}\nGiven up after {row.attempts} attempts."
        return Condition("failed", "Failed", detail, command("retry", run))
    if row.state == CheckpointState.REJECTED:
        return Condition("failed", "Checkpoint refused", cause, command("doctor", run))
    if row.state == CheckpointState.GONE:
        return Condition("failed", "Deleted before it was analysed", cause)
    return Condition("absent", "Left out by the analyzer's policy", row.cause or "", analyse_command(run, view))


def _nobody_works(run: Run, status: Status, now: float) -> Condition:
    if status.state == "stopped":
        return Condition(
            "waiting", "Not analysed yet", "The analyzer was stopped. Start it again with:", command("watch", run)
        )
    detail = (
        f"The analyzer is gone: its last sign of life was {ago(now - status.heartbeat_at)}. Start it again with:"
    )
    return Condition("waiting", "Not analysed yet", detail, command("watch", run), live=True)


def _not_wanted(run: Run, view: CheckpointView, row: CheckpointStatus, status: Status) -> Condition:
    if row.state == CheckpointState.INCOMPLETE:
        return Condition("queued", "Checkpoint still being written", row.cause or "")
    detail = f"The analyzer runs the suite “{status.suite}”, which leaves this analysis out."
    return Condition(
        "absent", "Not part of this run's suite", detail, analyse_command(run, view, "--suite", "advanced")
    )


def _pending(snapshot: Snapshot, status: Status, row: CheckpointStatus, analysis: str, now: float) -> Condition:
    running = next((each for each in status.in_work if each.checkpoint == row.checkpoint), None)
    if running is not None:
        since = f"since {clock(running.started_at)} ({ago(now - running.started_at, '')})"
        if running.analysis == analysis:
            count = f", {running.done} of {running.total}" if running.total else ""
            return Condition("running", "Running now", f"Computing {since}{count}.", live=True)
        return Condition("running", "Next", f"The analyzer is at “{running.analysis}” {since}.", live=True)
    if row.state == CheckpointState.RETRYING:
        when = f" The next attempt is at {clock(row.retry_at)}." if row.retry_at else ""
        return Condition(
            "queued", "Waiting to try again", f"Attempt {row.attempts} failed: {row.cause or '?'}{when}"
        )
    if row.state == CheckpointState.INCOMPLETE:
        return Condition("queued", "Checkpoint still being written", row.cause or "")
    if status.state == "waiting" and row.cause:
        return Condition("waiting", "Not analysed yet", row.cause)
    place, length = queue_place(status, row)
    waits = {"waiting": status.message, "paused": "The analyzer is paused."}.get(status.state, "")
    return Condition("queued", "Not analysed yet", f"Place {place} of {length} in the queue. {waits}".strip())


def queue(status: Status) -> list[CheckpointStatus]:
    """The checkpoints that wait, in the order they will run."""
    rows = [row for row in status.checkpoints if row.state in (CheckpointState.QUEUED, CheckpointState.RETRYING)]
    return sorted(rows, key=lambda row: turn(row.step, row.missing, status.policy))


def queue_place(status: Status, row: CheckpointStatus) -> tuple[int, int]:
    """1-based place of a checkpoint in the queue, and the queue's length."""
    names = [waiting.checkpoint for waiting in queue(status)]
    return (names.index(row.checkpoint) + 1 if row.checkpoint in names else len(names) + 1), max(len(names), 1)
