"""status.json: what the analyzer tells about a run, and how often."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from platform import node
from typing import Literal

from analyzer.jobs.messages import Computation
from analyzer.supervisor.checkpoint_row import UNDECIDED
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.running_job import Running
from analyzer.supervisor.watched_run import WatchedRun
from shared.files import write_record
from shared.logs import entry
from shared.records import RunningStatus, Status
from shared.version import __version__

logger = logging.getLogger(__name__)

INTERVAL_S = 5.0
"""Promised time between heartbeats, seconds."""
PROGRESS_S = 1.0
"""Shortest time between two writes that differ only in progress, seconds."""

State = Literal["starting", "idle", "running", "waiting", "paused", "stopped"]


@dataclass(frozen=True)
class Situation:
    """What the loop is at, as far as one run's status tells of it."""

    running: Running | None
    """The engine's job, of whichever run."""
    pause: str
    """Why our own disk is given time; empty when it is not."""
    computations: Mapping[str, Computation]
    """What the worker offers; empty while it starts."""
    slot_open: bool
    """Whether this run may compute now."""


@dataclass
class StatusWriter:
    """Writes each run's status.json when something changed, and as a heartbeat when nothing did."""

    plan: Plan
    started_at: float
    device: str = "cpu"
    _written: dict[str, Status] = field(default_factory=dict)

    def write(self, watched: WatchedRun, situation: Situation, now: float) -> None:
        """Write if it is time. A run that another analyzer has is left to that one."""
        if watched.other is not None:
            return
        state, message = _state(watched, situation)
        status = self._status(watched, situation, state, message, now)
        last = self._written.get(str(watched.run.out))
        age = now - last.heartbeat_at if last is not None else INTERVAL_S
        patience = INTERVAL_S - 1 if last is not None and last.running == status.running else PROGRESS_S
        if last is None or _differs(last, status) or age >= patience:
            self._put(watched, status)

    def stopped(self, watched: WatchedRun, situation: Situation, now: float) -> None:
        """The last word; what the run waits to be told is still true."""
        self._put(watched, self._status(watched, situation, "stopped", watched.description.problem, now))

    def _put(self, watched: WatchedRun, status: Status) -> None:
        self._written[str(watched.run.out)] = status
        try:
            write_record(watched.run.status, status, durable=False)
        except OSError as error:
            extra = entry("no_status", run=watched.run.name, cause=str(error))
            logger.debug("status.json of %s cannot be written: %s", watched.run.name, error, extra=extra)

    def _status(self, watched: WatchedRun, situation: Situation, state: State, message: str, now: float) -> Status:
        late = [row.candidate.complete_at for row in watched.rows if row.candidate and row.state in UNDECIDED]
        return Status(
            state=state,
            message=message,
            remedy=watched.description.remedy if message == watched.description.problem else "",
            assumed=watched.description.assumed,
            heartbeat_at=now,
            interval_s=INTERVAL_S,
            pid=os.getpid(),
            host=node(),
            started_at=self.started_at,
            version=__version__,
            device=self.device,
            suite=self.plan.suite,
            slot=self.plan.slot,
            policy=self.plan.policy,
            analyses=list(self.plan.wanted(situation.computations)) if situation.computations else [],
            running=_running(watched, situation) if state == "running" else None,
            requests=watched.desk.statuses(watched.asked),
            checkpoints=[row.status() for row in watched.rows],
            lag_checkpoints=len(late),
            lag_s=max(0.0, now - min(late)) if late else 0.0,
        )


def _differs(one: Status, other: Status) -> bool:
    """Whether anything changed beside time and progress."""
    beats = {"heartbeat_at": 0.0, "lag_s": 0.0, "running": None}
    stage = [status.running.analysis if status.running else None for status in (one, other)]
    return stage[0] != stage[1] or one.model_copy(update=beats) != other.model_copy(update=beats)


def _state(watched: WatchedRun, situation: Situation) -> tuple[State, str]:
    """The state of one run's analysis, and the sentence that explains it."""
    running = situation.running
    if running is not None and running.watched is watched:
        return "running", ""
    if situation.pause:
        return "paused", f"{situation.pause}. Then work goes on by itself."
    if problem := watched.fault or watched.description.problem:
        return "waiting", problem
    if not situation.computations:
        return "starting", "The worker is starting."
    if watched.queue():
        if running is not None:
            return "waiting", f"The worker is busy with {running.watched.run.name}."
        if not situation.slot_open:
            return "waiting", f"Waiting for its slot: {watched.plan.slot}."
    return "idle", "" if watched.rows else "No checkpoint yet."


def _running(watched: WatchedRun, situation: Situation) -> RunningStatus | None:
    running = situation.running
    if running is None or running.watched is not watched:
        return None
    event = running.event
    return RunningStatus(
        checkpoint=running.job.checkpoint,
        analysis=event.analysis if event else "load",
        done=event.done if event else 0,
        total=event.total if event else 0,
        started_at=running.started_at,
        request=running.asked,
    )
