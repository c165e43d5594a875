"""status.json: what the analyzer tells about a run, and how often."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from platform import node
from typing import Literal, NamedTuple

from analyzer.jobs.messages import Computation
from analyzer.supervisor.checkpoint_row import UNDECIDED, Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.running_job import Running
from analyzer.supervisor.watched_run import WatchedRun
from shared.files import write_record
from shared.logs import entry
from shared.records import RunningStatus, Status
from shared.status_file import remove_rows, write_rows
from shared.version import __version__

logger = logging.getLogger(__name__)

INTERVAL_S = 5.0
"""Promised time between heartbeats, seconds."""
PROGRESS_S = 1.0
"""Shortest time between two writes that differ only in progress, seconds."""
RUNS_NAMED = 3
"""Other runs that a sentence names."""

SPLIT_FROM = 200
"""Checkpoints from which on the rows lie in a file of their own."""
FEWEST = 50
"""Rows that may differ from that file, or the square root of all where that is more, before it is replaced: so the
bytes that a finished job costs grow with the square root of the run."""

State = Literal["starting", "idle", "running", "waiting", "paused", "stopped"]


@dataclass(frozen=True)
class Situation:
    """What the loop is at, as far as one run's status tells of it."""

    running: Sequence[Running]
    """The run's jobs that the engine has, in the order in which they began."""
    others: Sequence[Running]
    """Those of other runs."""
    full: bool
    """Whether the engine takes no further job now."""
    pause: str
    """Why our own disk is given time; empty when it is not."""
    computations: Mapping[str, Computation]
    """What the worker offers; empty while it starts."""
    slot_open: bool
    """Whether this run may compute now."""


class _Looks(NamedTuple):
    """What a status is made of, as far as that changes: whether there is anything new to tell is seen by this."""

    rows: list[Row]
    count: int
    others: tuple[object, ...]

    def same(self, other: _Looks) -> bool:
        return self.rows is other.rows and self[1:] == other[1:]


def _looks(watched: WatchedRun, situation: Situation, state: State, message: str) -> _Looks:
    if situation.others and not situation.running:
        message = ""  # whose turn it is instead is told with the next heartbeat
    jobs = tuple((running.job.id, running.event) for running in situation.running)
    asked = (*watched.asked.values(), *watched.desk.open.values())
    parts = (state, message, jobs, asked, len(situation.computations))
    return _Looks(watched.rows, len(watched.rows), (*parts, tuple(watched.description.assumed)))


@dataclass(frozen=True)
class _Beside:
    """The rows that lie in the file beside a status."""

    name: str
    """Of the file."""
    rows: dict[str, Row]

    def newer(self, rows: list[Row]) -> list[Row] | None:
        """Rows that differ from what lies there; None where so many do, or are gone, that it is to be replaced."""
        newer = [row for row in rows if not _tells_the_same(self.rows.get(row.point.name), row)]
        kept = sum(row.point.name in self.rows for row in rows)
        return newer if kept == len(self.rows) and len(newer) <= max(FEWEST, isqrt(len(rows))) else None


@dataclass
class StatusWriter:
    """Writes each run's status.json when something changed, and as a heartbeat when nothing did."""

    plan: Plan
    started_at: float
    device: str = "cpu"
    _written: dict[str, Status] = field(default_factory=dict)
    _looks: dict[str, _Looks] = field(default_factory=dict)
    _beside: dict[str, _Beside] = field(default_factory=dict)

    def write(self, watched: WatchedRun, situation: Situation, now: float) -> None:
        """Write if it is time. A run that another analyzer has is left to that one."""
        if watched.other is not None:
            return
        state, message = _state(watched, situation)
        last = self._written.get(str(watched.run.out))
        age = abs(now - last.heartbeat_at) if last is not None else INTERVAL_S
        looks, before = _looks(watched, situation, state, message), self._looks.get(str(watched.run.out))
        if age < INTERVAL_S - 1 and before is not None and before.same(looks):
            return  # telling of hundreds of runs, at each step, would take longer than the work
        self._looks[str(watched.run.out)] = looks
        status = self._status(watched, situation, state, message, now)
        patience = INTERVAL_S - 1 if last is not None and last.jobs == status.jobs else PROGRESS_S
        if last is None or _differs(last, status) or age >= patience:
            self._put(watched, status)

    def stopped(self, watched: WatchedRun, situation: Situation, now: float) -> None:
        """The last word; what the run waits to be told is still true."""
        self._put(watched, self._status(watched, situation, "stopped", watched.description.problem, now))

    def last(self, watched: WatchedRun) -> Status | None:
        """What was told of a run last."""
        return self._written.get(str(watched.run.out))

    def _put(self, watched: WatchedRun, status: Status) -> None:
        place = str(watched.run.out)
        before = self._written.get(place)
        self._written[place] = status
        try:
            write_record(watched.run.status, status, durable=False, indent=None)
            if before is None or before.rows != status.rows:
                remove_rows(watched.run.status, but={status.rows, before.rows if before is not None else ""})
        except OSError as error:
            self._say_unwritten(watched, error)

    def _rows(self, watched: WatchedRun) -> tuple[list[Row], str]:
        """The rows that the status itself lists, and the name of the file with the others; empty for none."""
        place, rows = str(watched.run.out), watched.rows
        if len(rows) < SPLIT_FROM:
            self._beside.pop(place, None)
            return rows, ""
        beside = self._beside.get(place)
        there = beside is not None and watched.run.status.with_name(beside.name).exists()
        newer = beside.newer(rows) if beside is not None and there else None
        if newer is None or beside is None:
            try:
                name = write_rows(watched.run.status, [row.status() for row in rows])
            except OSError as error:
                self._say_unwritten(watched, error)
                return rows, ""
            beside, newer = _Beside(name, {row.point.name: row for row in rows}), []
            self._beside[place] = beside
        return newer, beside.name

    def _say_unwritten(self, watched: WatchedRun, error: OSError) -> None:
        extra = entry("no_status", run=watched.run.name, cause=str(error))
        logger.debug("status.json of %s cannot be written: %s", watched.run.name, error, extra=extra)

    def _status(self, watched: WatchedRun, situation: Situation, state: State, message: str, now: float) -> Status:
        jobs = [_running(running) for running in situation.running]
        late = [row.candidate.complete_at for row in watched.rows if row.candidate and row.state in UNDECIDED]
        rows, beside = self._rows(watched)
        return Status(
            schema_version=2 if beside else 1,
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
            running=jobs[0] if jobs and state == "running" else None,
            jobs=jobs if state == "running" else [],
            requests=watched.desk.statuses({request for request, _ in watched.asked.values()}),
            checkpoints=[row.status() for row in rows],
            rows=beside,
            lag_checkpoints=len(late),
            lag_s=max(0.0, now - min(late)) if late else 0.0,
        )


def _tells_the_same(one: Row | None, other: Row) -> bool:
    """Whether a row of status.json would read the same."""
    return one is other or (one is not None and _told(one) == _told(other))


def _told(row: Row) -> tuple[object, ...]:
    return row.point, row.state, row.done, row.missing, row.cause, row.attempts, row.retry_at


def _differs(one: Status, other: Status) -> bool:
    """Whether anything changed beside time and progress."""
    beats = {"heartbeat_at": 0.0, "lag_s": 0.0, "running": None, "jobs": []}
    stages = [[(job.checkpoint, job.analysis) for job in status.jobs] for status in (one, other)]
    return stages[0] != stages[1] or one.model_copy(update=beats) != other.model_copy(update=beats)


def _state(watched: WatchedRun, situation: Situation) -> tuple[State, str]:
    """The state of one run's analysis, and the sentence that explains it."""
    if situation.running:
        return "running", ""
    if situation.pause:
        return "paused", f"{situation.pause}. Then work goes on by itself."
    if problem := watched.fault or watched.description.problem:
        return "waiting", problem
    if not situation.computations:
        return "starting", "The worker is starting."
    if watched.queue():
        if situation.full and situation.others:
            return "waiting", _busy_with(situation.others)
        if not situation.slot_open:
            return "waiting", f"Waiting for its slot: {watched.plan.slot}."
    return "idle", "" if watched.rows else "No checkpoint yet."


def _busy_with(jobs: Sequence[Running]) -> str:
    """Whom a run waits for."""
    names = list(dict.fromkeys(running.watched.run.name for running in jobs))
    if len(jobs) == 1:
        return f"The worker is busy with {names[0]}."
    named = ", ".join(names[:RUNS_NAMED]) + (", ..." if len(names) > RUNS_NAMED else "")
    return f"All {len(jobs)} workers are busy with {named}."


def _running(running: Running) -> RunningStatus:
    event = running.event
    return RunningStatus(
        checkpoint=running.job.checkpoint,
        analysis=event.analysis if event else "load",
        done=event.done if event else 0,
        total=event.total if event else 0,
        started_at=running.started_at,
        request=running.asked,
    )
