"""What starts next: runs in turn, what was asked before what is merely missing, until the engine is busy."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analyzer.jobs.messages import Computation
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.compute_slot import Slots
from analyzer.supervisor.disk_refusals import DiskRefusals
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.request_jobs import begin
from analyzer.supervisor.request_turns import next_turn
from analyzer.supervisor.running_job import Running, job_of
from analyzer.supervisor.running_jobs import RunningJobs
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import CheckpointChanged
from shared.logs import entry
from shared.turns import COMPARING

logger = logging.getLogger(__name__)


@dataclass
class Starter:
    """Keeps the engine busy. An attempt is written down before it starts."""

    runs: dict[Path, WatchedRun]
    """All that are watched; the supervisor's own."""
    plan: Plan
    slots: Slots
    jobs: RunningJobs
    disk: DiskRefusals
    served: WatchedRun | None = None
    """The run whose turn it was last; None as long as nothing was started."""

    def fill(self, computations: Mapping[str, Computation], now: float) -> None:
        """Give the engine jobs until it is busy, or nothing can start."""
        while not self.jobs.engine.busy and self._start_one(computations, now):
            pass

    def _start_one(self, computations: Mapping[str, Computation], now: float) -> bool:
        awake = [watched for watched in self._in_turn() if watched.pause.over(now)]
        free = self.jobs.engine.free
        for start in (self._start_asked, self._start_wanted):  # who waits for an answer comes first
            for watched in awake:
                devices = self.slots.open_on(free, now, watched.training_over)
                if devices and (running := start(watched, computations, now)):
                    self.jobs.submit(running, devices)
                    running.say_started()
                    self.served = watched
                    return True
        return False

    def _in_turn(self) -> list[WatchedRun]:
        """The runs, beginning after the one that was served last."""
        runs = [watched for watched in self.runs.values() if watched.other is None]
        first = next((place + 1 for place, watched in enumerate(runs) if watched is self.served), 0)
        return runs[first:] + runs[:first]

    def _start_asked(
        self, watched: WatchedRun, computations: Mapping[str, Computation], now: float
    ) -> Running | None:
        """The next request of one run, written down; None where none can start."""
        try:
            while computations and (turn := next_turn(watched)) is not None:
                job = begin(watched, turn, computations, now)
                if job is not None:
                    return Running(watched, job, "", started_at=now, asked=turn.state.id)
        except OSError as error:
            self.disk.hit(error, watched, now)
        return None

    def _start_wanted(
        self, watched: WatchedRun, computations: Mapping[str, Computation], now: float
    ) -> Running | None:
        """The next checkpoint of one run, its attempt written down; None where none can start."""
        for row in watched.queue():
            if not may_start(watched, row):
                continue
            try:
                return self._begin(watched, row, computations, now)
            except CheckpointChanged as error:
                extra = entry("changed", run=watched.run.name, checkpoint=row.point.name, cause=str(error))
                logger.info("%s", error, extra=extra)
                watched.dirty = True
                continue
            except OSError as error:
                self.disk.hit(error, watched, now)
                return None
        return None

    def _begin(self, watched: WatchedRun, row: Row, computations: Mapping[str, Computation], now: float) -> Running:
        """Pin, and note the attempt."""
        name = row.point.name
        job = job_of(watched, row, list(self.plan.wanted(computations)))
        watched.ledger.start(name, row.identity, now)
        watched.begin(job.id, name)
        return Running(watched, job, row.identity, started_at=now, missing=watched.count_missing(row, job.analyses))


def may_start(watched: WatchedRun, row: Row) -> bool:
    """Whether a queued checkpoint fits beside what already runs of its run.

    A checkpoint is never given to two workers. What only has to be compared again has the run for itself: it reads
    what other jobs of the run commit and replace.
    """
    if row.point.name in watched.taken:
        return False
    return not watched.comparing and not (watched.taken and [*row.missing] == [COMPARING])
