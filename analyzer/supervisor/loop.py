"""The supervisor: the whole way of a checkpoint, top to bottom.

    scan -> gate and pin -> schedule -> engine.submit -> poll -> committed results -> figures -> status

What happens in each is in a file of its own: `run_scan.py` looks at a run, `starting.py` says what starts next,
`running_jobs.py` what an engine's event means, `status_file.py` what is told.

What must be done is (complete checkpoints x wanted analyses) - (committed results), found anew at each scan;
events only wake the loop. No torch in here, and nothing that is wrong with a checkpoint ends it.
See `analyzer/supervisor/watched_run.py` for where one run's checkpoints stand, `analyzer/worker/one_job.py` for
what the worker does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from queue import SimpleQueue

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Computation, Event
from analyzer.supervisor.clock_jumps import ClockJumps
from analyzer.supervisor.compute_slot import Slots
from analyzer.supervisor.disk_refusals import DiskRefusals
from analyzer.supervisor.file_events import Watcher
from analyzer.supervisor.once import all_settled
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.run_finder import RunFinder, is_gone
from analyzer.supervisor.run_scan import RunScan
from analyzer.supervisor.running_jobs import Observer, RunningJobs, ignore
from analyzer.supervisor.said import Said
from analyzer.supervisor.starting import Starter
from analyzer.supervisor.status_file import INTERVAL_S, Situation, StatusWriter
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import MidwatchError, UsageError
from shared.logs import entry

logger = logging.getLogger(__name__)

SCAN_SHARE = 0.01
"""Share of a core that looking at the disk may take: a run of many hundred checkpoints is rescanned less."""
LOOKS_S = 5.0
"""Longest that one round looks at runs, seconds: leases and heartbeats of all of them wait for its end."""
LISTEN_S = 1.0
"""Longest wait while a job runs, seconds: how late a silent worker is noticed."""


@dataclass
class Supervisor:
    """Watches runs and keeps an engine busy."""

    targets: list[Path]
    """Runs, or folders of runs in which new ones appear."""
    plan: Plan
    engine: Engine
    out: Path | None = None
    observer: InitVar[Observer] = ignore
    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] | None = None
    """Seconds of a clock that nobody sets; by default the system's, or `clock` where that is not the system's."""
    runs: dict[Path, WatchedRun] = field(default_factory=dict)
    computations: Mapping[str, Computation] = field(default_factory=dict)

    def __post_init__(self, observer: Observer) -> None:
        self.woken = threading.Event()
        self.stopping = False
        self.jumps = ClockJumps(self.ticks or (time.monotonic if self.clock is time.time else self.clock))
        self.slots = Slots(self.plan.slot)
        self.status = StatusWriter(self.plan, self.clock())
        self._told: SimpleQueue[Path] = SimpleQueue()
        self._dirty = threading.Event()
        self._dirty.set()
        self._scanned_at = float("-inf")
        self.disk = DiskRefusals(self.runs)
        self.jobs = RunningJobs(self.engine, self.disk, observer)
        self._starter = Starter(self.runs, self.plan, self.slots, self.jobs, self.disk)
        said = Said()
        self._finder = RunFinder(self.targets, self.plan, self.out, self.runs, said)
        self._scan = RunScan(self.plan, self.disk, said)

    def run(self) -> None:
        """Work until stopped, or with `once` until nothing is left. Raises MidwatchError for what cannot start."""
        watcher = Watcher(self.woken.set)
        try:
            self.engine.start()
            while not self.stopping:
                self.woken.clear()
                self.hear(watcher.heard())
                self.notice(watcher.touched())
                self.step(self.clock())
                if self.plan.once and self.nothing_left:
                    break
                watcher.watch(path for run in self.runs.values() for path in run.watched_places())
                self.woken.wait(self.patience(self.clock()))
        finally:
            watcher.stop()
            self.close()

    def hear(self, made: Iterable[tuple[Path, str]]) -> None:
        """Checkpoint directories of which an event told: they count, whether a scan still finds them or not."""
        for path, name in made:
            for watched in self.runs.values():
                if watched.run.path == path:
                    watched.heard.add(name)

    def notice(self, touched: Iterable[Path]) -> None:
        """Places of which an event told: their runs are looked at, or all where a place is nobody's."""
        for path in touched:
            found = [watched for watched in self.runs.values() if watched.holds(path)]
            for watched in found:
                watched.dirty = True
            if not found:
                self._dirty.set()

    def tell(self, touched: Iterable[Path]) -> None:
        """As `notice`, from any thread: the loop does it in its next round, which begins now."""
        for path in touched:
            self._told.put(path)
        self.woken.set()

    def step(self, now: float) -> None:
        """One round: take in what happened, look at the disk when it is time, start what comes next, tell."""
        self.notice(self._what_was_told())
        if by := self.jumps.since_last_look(now):
            self.clock_was_set(by)
        for watched in self.jobs.runs():
            if not is_gone(watched.run.path):
                self._keep_lease(watched, now)  # whoever was stopped meanwhile touches nobody's books
        for event in self.engine.poll(self.jumps.ticks()):
            self.take(event, now)
        if self._dirty.is_set() or now >= self.rescan_at:
            self._dirty.clear()
            self._scanned_at = now
            self.scan(now)
        self._look_at_some(now)
        self._starter.fill(self.computations, now)
        for watched in self.runs.values():
            if is_gone(watched.run.path):  # nothing of ours brings it back
                self._dirty.set()
                continue
            self._keep_lease(watched, now)
            self.status.write(watched, self.situation(watched, now), now)

    def clock_was_set(self, by: float) -> None:
        """Somebody set the clock by so many seconds, or the machine slept: every wait goes on as if nothing had."""
        logger.info("the clock was set, or the machine slept: %+.0f s", by, extra=entry("clock_set", seconds=by))
        self._scanned_at += by
        self._dirty.set()
        self.slots.clock_was_set(by)
        for watched in self.runs.values():
            watched.clock_was_set(by)

    def situation(self, watched: WatchedRun, now: float) -> Situation:
        """What status.json tells of the loop."""
        free = self.engine.free if watched.queue() else ()
        return Situation(
            running=tuple(self.jobs.of(watched)),
            others=tuple(each for each in self.jobs.by_id.values() if each.watched is not watched),
            full=self.engine.busy,
            pause=watched.pause.cause,
            computations=self.computations,
            slot_open=not free or bool(self.slots.open_on(free, now, watched.training_over)),
        )

    def scan(self, now: float) -> None:
        """Look for runs; in each of them for checkpoints, in this round or in those that follow."""
        for gone in self._finder.drop_gone():
            self.jobs.drop(gone)
        self._finder.open_new()
        for watched in self.runs.values():
            watched.dirty = True

    def _look_at_some(self, now: float) -> None:
        """Look where there may be something new, for `LOOKS_S` at most; first where nobody did for longest."""
        began = self.jumps.ticks()
        due = [watched for watched in self.runs.values() if watched.dirty or now >= watched.next_at]
        for watched in sorted(due, key=lambda watched: watched.looked_at):
            self.look(watched, now)
            if self.jumps.ticks() - began > LOOKS_S:
                self.woken.set()  # the rest is due at once, in the next round
                break

    def look(self, watched: WatchedRun, now: float) -> None:
        """Look at one run; jobs of requests that it finds taken back, or of a run that was lost, are stopped."""
        self._scan.look(watched, self.computations, now)
        self.jobs.drop_cancelled(watched)
        self.jobs.drop_lost(watched)

    def _keep_lease(self, watched: WatchedRun, now: float) -> None:
        """Renew it when it is time; what was begun before it was lost ends."""
        self._scan.keep_lease(watched, now)
        self.jobs.drop_lost(watched)

    def take(self, event: Event, now: float) -> None:
        """One event of the engine's."""
        if event.kind == "ready":
            self.computations = event.computations
            self.status.device = ", ".join(sorted({*self.engine.devices, event.device}))
            self.plan.wanted(self.computations)  # an analysis that does not exist is said at once
            self._dirty.set()
        elif event.kind == "refused" and not self.jobs.is_asked(event.job):
            raise UsageError(event.cause) if event.failure is None else MidwatchError(event.cause)
        else:
            self.jobs.take(event, now)

    @property
    def unusable(self) -> dict[Path, str]:
        """Runs of a folder that could not be opened, and why."""
        return self._finder.unusable

    @property
    def nothing_started(self) -> bool:
        """Whether no job was ever given to the engine."""
        return self._starter.served is None

    @property
    def nothing_left(self) -> bool:
        """With `once`: whether everything that can be done is. Raises MidwatchError for what stands in the way."""
        paused = [watched for watched in self.runs.values() if watched.pause.cause]
        others = [watched for watched in self.runs.values() if not watched.pause.cause]
        if paused and not others:
            raise MidwatchError(f"{paused[0].pause.cause}. Results stay.")
        dirty = self._dirty.is_set() or any(watched.dirty for watched in self.runs.values())
        if not self.computations or self.jobs.by_id or dirty:
            return False
        if any(watched.desk.open for watched in others):
            return False
        settled = self.plan.asked_only or all_settled(others, self.targets[0])
        if settled and paused:
            raise MidwatchError(f"{paused[0].pause.cause}. Results stay, and the other runs are done.")
        return settled

    @property
    def due(self) -> float:
        """Unix time of the next look that no event announces, at one run or at all."""
        return min([self.rescan_at, *(watched.next_at for watched in self.runs.values())])

    @property
    def rescan_at(self) -> float:
        """Unix time of the next scan of all runs."""
        scan_s = sum(watched.look_s for watched in self.runs.values())
        return self._scanned_at + max(self.plan.rescan_s, scan_s / SCAN_SHARE)

    def patience(self, now: float) -> float:
        """Seconds until there is something to do that no event announces."""
        return min(max(0.0, self.due - now), LISTEN_S if self.jobs.by_id else INTERVAL_S - 1)

    def _what_was_told(self) -> Iterator[Path]:
        while not self._told.empty():
            yield self._told.get()

    def stop(self) -> None:
        """End soon, and gently: the running job uses no attempt. Called from a signal handler."""
        self.stopping = True
        self.woken.set()

    def close(self) -> None:
        """Let go of everything: engine, attempt, leases; the last status says that we stopped."""
        self.engine.close()
        now = self.clock()
        for watched in self.runs.values():
            try:
                ours = watched.other is None and watched.lease.is_ours
                self.jobs.let_go(watched, refund=ours)
                if ours:
                    self.status.stopped(watched, self.situation(watched, now), now)
                    watched.lease.release()
            except OSError as error:
                extra = entry("not_released", run=watched.run.name, cause=str(error))
                logger.warning("%s: %s", watched.run.name, error, extra=extra)
