"""The supervisor: the whole way of a checkpoint, top to bottom.

    scan -> gate and pin -> schedule -> engine.submit -> poll -> committed results -> figures -> status

What must be done is (complete checkpoints x wanted analyses) - (committed results), found anew at each scan;
events only wake the loop. No torch in here, and nothing that is wrong with a checkpoint ends it.
See `analyzer/supervisor/watched_run.py` for where one run's checkpoints stand, `analyzer/worker/one_job.py` for
what the worker does.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Computation, Event, Failure, Job
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.compute_slot import Slot
from analyzer.supervisor.disk_pause import Pause
from analyzer.supervisor.file_events import Watcher
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.running_job import Running
from analyzer.supervisor.status_file import INTERVAL_S, Situation, StatusWriter
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import CheckpointChanged, LinkInTheWay, MidwatchError, RunError, UsageError
from shared.run import Run, find_runs

logger = logging.getLogger(__name__)

IDLE_SHARE = 0.01
"""Share of a core that looking at the disk may take: a run of many hundred checkpoints is rescanned less."""
LISTEN_S = 1.0
"""Longest wait while a job runs, seconds: how late a silent worker is noticed."""

Observer = Callable[[WatchedRun, Event], None]


def ignore(watched: WatchedRun, event: Event) -> None:
    """The default observer."""


@dataclass
class Supervisor:
    """Watches runs and keeps one engine busy."""

    targets: list[Path]
    """Runs, or folders of runs in which new ones appear."""
    plan: Plan
    engine: Engine
    out: Path | None = None
    observer: Observer = ignore
    clock: Callable[[], float] = time.time
    runs: dict[Path, WatchedRun] = field(default_factory=dict)
    computations: Mapping[str, Computation] = field(default_factory=dict)
    running: Running | None = None

    def __post_init__(self) -> None:
        self.woken = threading.Event()
        self.stopping = False
        self.pause = Pause()
        self.slot = Slot(self.plan.slot)
        self.status = StatusWriter(self.plan, self.clock())
        self._dirty = threading.Event()
        self._dirty.set()
        self._scanned_at = float("-inf")
        self._scan_s = 0.0
        self._served: WatchedRun | None = None
        self._told: set[str] = set()

    def run(self) -> None:
        """Work until stopped, or with `once` until nothing is left. Raises MidwatchError for what cannot start."""
        watcher = Watcher(self.disturb)
        try:
            self.engine.start()
            while not self.stopping:
                self.woken.clear()
                self.step(self.clock())
                if self.plan.once and self.nothing_left:
                    break
                watcher.watch(path for run in self.runs.values() for path in (run.run.path, run.run.commits))
                self.woken.wait(self.patience(self.clock()))
        finally:
            watcher.stop()
            self.close()

    def step(self, now: float) -> None:
        """One round: take in what happened, look at the disk when it is time, start what comes next, tell."""
        for event in self.engine.poll(now):
            self.take(event, now)
        if self._dirty.is_set() or now >= self.due:
            self._dirty.clear()
            self._scanned_at = now
            started = time.process_time()
            self.scan(now)
            self._scan_s = time.process_time() - started
        self.start_next(now)
        for watched in self.runs.values():
            self.status.write(watched, self.situation(watched, now), now)

    def situation(self, watched: WatchedRun, now: float) -> Situation:
        """What status.json tells of the loop."""
        waits = self.running is None and bool(watched.queue())  # the slot looks at a device that we leave alone
        slot_open = not waits or self.slot.open(now, watched.training_over)
        return Situation(self.running, self.pause.cause, self.computations, slot_open)

    def scan(self, now: float) -> None:
        """Look for runs, and in each for checkpoints: gate, pin, and what is missing."""
        self.forget_runs()
        self.find_runs()
        for watched in self.runs.values():
            others = watched.other
            try:
                watched.scan(self.computations, now)
                if watched.other is not None and others is None:
                    self.yield_to(watched)
                self.tell_who_settles(watched, now)
                watched.fault = ""
            except RunError as error:
                watched.rows, watched.fault = [], str(error)
                self.warn_once(watched.fault)
            except OSError as error:
                self.hit_disk(error, watched, now)

    def tell_who_settles(self, watched: WatchedRun, now: float) -> None:
        """With `once` somebody waits in front of the screen: say what for, once a checkpoint."""
        for row in watched.rows if self.plan.once else []:
            if (
                row.settles_at is not None
                and row.settles_at - now > self.plan.rescan_s
                and row.cause not in self._told
            ):
                self._told.add(row.cause)
                logger.info("%s", row.cause)

    def hit_disk(self, error: OSError, watched: WatchedRun, now: float) -> None:
        """Our own disk refused."""
        self.pause.hit(f"{error.filename or watched.run.midwatch}: {error.strerror}", watched.run.midwatch, now)

    def yield_to(self, watched: WatchedRun) -> None:
        """Another analyzer has this run. Raises MidwatchError where we cannot wait for it."""
        other = watched.other
        assert other is not None  # noqa: S101 (the caller's condition)
        sentence = f"{watched.run.name} is being analysed by another analyzer (process {other.pid} on {other.host})"
        if self.plan.once:
            raise MidwatchError(f"{sentence}; stop that one, or look at `midwatch status {watched.run.path}`.")
        logger.warning("%s; waiting until it ends", sentence)

    def start_next(self, now: float) -> None:
        """Give the engine the next checkpoint whose turn it is. The attempt is written down before it starts."""
        if self.engine.busy or self.running is not None or not self.pause.over(now):
            return
        for watched in self.in_turn():
            if not self.slot.open(now, watched.training_over):
                continue
            for row in watched.queue():
                try:
                    self.start(watched, row, now)
                except CheckpointChanged as error:
                    logger.info("%s", error)
                    self._dirty.set()
                    continue
                except OSError as error:
                    self.hit_disk(error, watched, now)
                return

    def start(self, watched: WatchedRun, row: Row, now: float) -> None:
        """Pin, note the attempt, submit."""
        candidate = row.candidate
        known = watched.description
        assert candidate is not None and known.record is not None  # noqa: S101 (only such rows are queued)
        pin = watched.pins.pin(candidate)
        tried = watched.ledger.read(candidate.name, row.identity)
        job = Job(
            id=uuid.uuid4().hex,
            run=watched.run.path,
            out=watched.run.out,
            checkpoint=candidate.name,
            step=candidate.step,
            epoch=candidate.epoch,
            directory=pin.directory if pin else candidate.source,
            source=candidate.source,
            files=list(candidate.files),
            pinned=pin is not None,
            order_unverified=candidate.order_unverified,
            record=known.record,
            probes=known.probes,
            analyses=[name for name in self.plan.wanted(self.computations) if name not in tried.cannot],
            force=self.plan.force,
            warnings=known.warnings,
            neighbour=watched.neighbour(candidate.name),
            family=known.family,
            batch_divisor=2**tried.memory_failures,
        )
        watched.ledger.start(candidate.name, row.identity, now)
        self.running = Running(watched, job, row.identity, started_at=now)
        watched.begin(candidate.name)
        self._served = watched
        self.engine.submit(job)
        logger.info("%s/%s: start, %d analyses missing", watched.run.name, candidate.name, len(row.missing))

    def take(self, event: Event, now: float) -> None:
        """One event of the engine's."""
        if event.kind == "ready":
            self.computations, self.slot.device = event.computations, event.device
            self.status.device = event.device
            self.plan.wanted(self.computations)  # an analysis that does not exist is said at once
            self._dirty.set()
        elif event.kind == "refused":
            raise UsageError(event.cause) if event.failure is None else MidwatchError(event.cause)
        elif self.running is not None and event.job == self.running.job.id:
            try:
                self.take_from_job(self.running, event, now)
            except OSError as error:
                self.hit_disk(error, self.running.watched, now)

    def take_from_job(self, running: Running, event: Event, now: float) -> None:
        """Progress, a committed result, a failure, or the end. Raises OSError when the ledger cannot be written."""
        watched, name = running.watched, running.job.checkpoint
        running.event = event if event.kind == "progress" else running.event
        if event.kind == "committed":
            self.pause.clear()
            if not running.job.force:  # what is forced is committed anew in every attempt
                watched.ledger.progressed(name)
        elif event.kind == "failed":
            self.note_failure(running, event, now)
        elif event.kind == "finished":
            self.finish(running, now)
        self.observer(watched, event)

    def note_failure(self, running: Running, event: Event, now: float) -> None:
        """What a failure means for the checkpoint, by its kind."""
        watched, name = running.watched, running.job.checkpoint
        what = f"{event.analysis}: {event.cause}" if event.analysis else event.cause
        logger.warning("%s/%s: %s", watched.run.name, name, what)
        if event.failure == Failure.CANNOT:
            watched.ledger.cannot(name, event.analysis, event.cause)
        elif event.failure in (Failure.CHANGED, Failure.STORAGE):
            running.refunded = True
            watched.ledger.refund(name)
            if event.failure == Failure.STORAGE:
                self.pause.hit(event.cause, watched.run.midwatch, now)
        else:
            running.failures.append(what)
            watched.ledger.fail(name, event.failure or Failure.ANALYSIS, " ".join(running.failures), now)

    def finish(self, running: Running, now: float) -> None:
        """The job is over: what it left undone, the next scan finds."""
        watched, name = running.watched, running.job.checkpoint
        self.running, watched.running = None, None
        self._dirty.set()
        if running.failures or running.refunded:
            return
        if running.job.force:
            watched.forced.add(name)
        watched.ledger.succeed(name)
        logger.info("%s/%s: done in %.1f s", watched.run.name, name, now - running.started_at)

    def forget_runs(self) -> None:
        """Drop runs whose directory is gone, so that nothing of ours brings it back."""
        for path in [path for path, watched in self.runs.items() if not watched.run.path.is_dir()]:
            logger.warning("%s is gone", path)
            if self.running is not None and self.running.watched is self.runs[path]:
                self.engine.cancel()
            del self.runs[path]

    def find_runs(self) -> None:
        """Open runs that have appeared. Raises RunError for one that was named and cannot be used."""
        for target in self.targets:
            for path in find_runs(target):
                if path in self.runs:
                    continue
                alone = path == target
                out = self.out if alone or self.out is None else self.out / path.name
                try:
                    if out is not None and not alone and out.is_symlink():
                        raise LinkInTheWay(out)
                    watched = WatchedRun(Run.at(path, out), self.plan)
                    watched.open()
                except RunError as error:
                    if alone:
                        raise
                    self.warn_once(str(error))
                    continue
                self.runs[path] = watched
                logger.info("watching %s", path)

    def warn_once(self, sentence: str) -> None:
        """Say what every scan finds anew."""
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning("%s", sentence)

    def in_turn(self) -> list[WatchedRun]:
        """The runs, beginning after the one that was served last."""
        runs = [watched for watched in self.runs.values() if watched.other is None]
        if self._served in runs:
            first = runs.index(self._served) + 1
            return runs[first:] + runs[:first]
        return runs

    @property
    def nothing_left(self) -> bool:
        """With `once`: whether everything that can be done is. Raises UsageError when a run lacks what it needs."""
        if self.pause.cause:
            raise MidwatchError(f"{self.pause.cause}. Free space or choose another place with --out; results stay.")
        if not self.computations or self.running is not None or self._dirty.is_set():
            return False
        if not self.runs:
            raise RunError(f"{self.targets[0]} holds no run: no directory with checkpoint-<step> directories.")
        for watched in self.runs.values():
            if watched.description.problem and watched.queue_blocked:
                raise UsageError(watched.description.problem)
        faults = [watched.fault for watched in self.runs.values() if watched.fault]
        if not any(watched.rows for watched in self.runs.values()):
            raise RunError(faults[0] if faults else f"{self.targets[0]} has no checkpoint-<step> directories yet.")
        settled = all(watched.settled for watched in self.runs.values())
        if settled and faults:
            raise RunError(faults[0])
        return settled

    @property
    def due(self) -> float:
        """Unix time of the next scan that no event announces: something settles, or may be tried again."""
        rows = [row for watched in self.runs.values() for row in watched.rows]
        times = [time for row in rows for time in (row.settles_at, row.retry_at) if time is not None]
        rescan = self._scanned_at + max(self.plan.rescan_s, self._scan_s / IDLE_SHARE)
        return min([rescan, *(time for time in times if time > self._scanned_at)])

    def patience(self, now: float) -> float:
        """Seconds until there is something to do that no event announces."""
        return min(max(0.0, self.due - now), LISTEN_S if self.running is not None else INTERVAL_S - 1)

    def disturb(self) -> None:
        """Something happened on disk: scan at once. Called from the watcher's thread."""
        self._dirty.set()
        self.woken.set()

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
                if self.running is not None and self.running.watched is watched:
                    watched.ledger.refund(self.running.job.checkpoint)
                    watched.running = None
                if watched.other is None:
                    self.status.stopped(watched, self.situation(watched, now), now)
                    watched.lease.release()
            except OSError as error:
                logger.warning("%s: %s", watched.run.name, error)
        self.running = None
