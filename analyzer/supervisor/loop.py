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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Computation, Event, Failure
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.compute_slot import Slot
from analyzer.supervisor.disk_pause import Pause
from analyzer.supervisor.file_events import Watcher
from analyzer.supervisor.once import all_settled, say_what_settles
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.request_jobs import begin, finish, note_failure
from analyzer.supervisor.request_turns import next_turn, settle
from analyzer.supervisor.run_finder import RunFinder
from analyzer.supervisor.running_job import Running, job_of
from analyzer.supervisor.said import Said
from analyzer.supervisor.status_file import INTERVAL_S, Situation, StatusWriter
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import CheckpointChanged, MidwatchError, RunError, UsageError, disk_sentence
from shared.logs import entry

logger = logging.getLogger(__name__)

SCAN_SHARE = 0.01
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
        self._said = Said()
        self._finder = RunFinder(self.targets, self.plan, self.out, self.runs, self._said)

    def run(self) -> None:
        """Work until stopped, or with `once` until nothing is left. Raises MidwatchError for what cannot start."""
        watcher = Watcher(self.disturb)
        try:
            self.engine.start()
            while not self.stopping:
                self.woken.clear()
                self.hear(watcher.heard())
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
        for gone in self._finder.drop_gone():
            if self.running is not None and self.running.watched is gone:
                self.engine.cancel()
        self._finder.open_new()
        for watched in self.runs.values():
            others = watched.other
            try:
                watched.scan(self.computations, now)
                if self.computations and watched.other is None:
                    settle(watched, now)
                self.drop_cancelled(watched)
                if watched.other is not None and others is None:
                    self.yield_to(watched)
                self.say_description(watched)
                if self.plan.once:
                    say_what_settles(watched, now, self._said)
                watched.fault = ""
            except RunError as error:
                watched.rows, watched.fault = [], str(error)
                extra = entry("run_unusable", run=watched.run.name, cause=watched.fault)
                self._said.once(logging.WARNING, watched.fault, extra)
            except OSError as error:
                self.hit_disk(error, watched, now)

    def say_description(self, watched: WatchedRun) -> None:
        """What a run waits for, or what was assumed of it, once: nobody should have to ask for it."""
        known, name = watched.description, watched.run.name
        if known.problem and not self.plan.once:  # which ends with it
            extra = entry("undescribed", run=name, cause=known.problem)
            self._said.once(logging.WARNING, f"{name} waits: {known.problem}", extra)
        for sentence in known.assumed:
            self._said.once(logging.WARNING, f"{name}: {sentence}", entry("assumed", run=name, cause=sentence))

    def hit_disk(self, error: OSError, watched: WatchedRun, now: float) -> None:
        """Our own disk refused."""
        self.pause.hit(disk_sentence(error, watched.run.midwatch), watched.run.midwatch, now)

    def yield_to(self, watched: WatchedRun) -> None:
        """Another analyzer has this run. Raises MidwatchError where we cannot wait for it."""
        other = watched.other
        assert other is not None  # noqa: S101 (the caller's condition)
        sentence = f"{watched.run.name} is being analysed by another analyzer (process {other.pid} on {other.host})"
        if self.plan.once:
            raise MidwatchError(f"{sentence}; stop that one, or look at `midwatch status {watched.run.path}`.")
        extra = entry("run_taken", run=watched.run.name, pid=other.pid, host=other.host)
        logger.warning("%s; waiting until it ends", sentence, extra=extra)

    def start_next(self, now: float) -> None:
        """Give the engine the next checkpoint whose turn it is. The attempt is written down before it starts."""
        if self.engine.busy or self.running is not None or not self.pause.over(now):
            return
        for start in (self.start_asked, self.start_wanted):  # who waits for an answer comes first
            for watched in self.in_turn():
                if self.slot.open(now, watched.training_over) and start(watched, now):
                    return

    def start_asked(self, watched: WatchedRun, now: float) -> bool:
        """The next request of one run; whether one was started, or our own disk refused."""
        try:
            while self.computations and (turn := next_turn(watched)) is not None:
                job = begin(watched, turn, self.computations, now)
                if job is not None:
                    self.submit(Running(watched, job, "", started_at=now, asked=turn.state.id))
                    return True
        except OSError as error:
            self.hit_disk(error, watched, now)
            return True
        return False

    def start_wanted(self, watched: WatchedRun, now: float) -> bool:
        """The next checkpoint of one run; whether one was started, or our own disk refused."""
        for row in watched.queue():
            try:
                self.start(watched, row, now)
            except CheckpointChanged as error:
                extra = entry("changed", run=watched.run.name, checkpoint=row.point.name, cause=str(error))
                logger.info("%s", error, extra=extra)
                self._dirty.set()
                continue
            except OSError as error:
                self.hit_disk(error, watched, now)
            return True
        return False

    def start(self, watched: WatchedRun, row: Row, now: float) -> None:
        """Pin, note the attempt, submit."""
        name = row.point.name
        job = job_of(watched, row, list(self.plan.wanted(self.computations)))
        watched.ledger.start(name, row.identity, now)
        watched.begin(name)
        self.submit(Running(watched, job, row.identity, started_at=now))
        extra = entry("started", run=watched.run.name, checkpoint=name, analyses=len(row.missing))
        logger.info("%s/%s: start, %d analyses missing", watched.run.name, name, len(row.missing), extra=extra)

    def submit(self, running: Running) -> None:
        """Give the engine a job that is written down."""
        self.running, self._served = running, running.watched
        self.engine.submit(running.job)

    def drop_cancelled(self, watched: WatchedRun) -> None:
        """Stop the job of a request that was taken back; the worker is started anew."""
        running = self.running
        if running is not None and running.watched is watched and running.asked not in ("", *watched.desk.open):
            self.engine.cancel()

    def take(self, event: Event, now: float) -> None:
        """One event of the engine's."""
        if event.kind == "ready":
            self.computations, self.slot.device = event.computations, event.device
            self.status.device = event.device
            self.plan.wanted(self.computations)  # an analysis that does not exist is said at once
            self._dirty.set()
        elif event.kind == "refused" and not self.of_request(event):
            raise UsageError(event.cause) if event.failure is None else MidwatchError(event.cause)
        elif self.running is not None and event.job == self.running.job.id:
            try:
                self.take_from_job(self.running, event, now)
            except OSError as error:
                self.hit_disk(error, self.running.watched, now)

    def of_request(self, event: Event) -> bool:
        """Whether an event is about the job of a request."""
        return self.running is not None and event.job == self.running.job.id and bool(self.running.asked)

    def take_from_job(self, running: Running, event: Event, now: float) -> None:
        """Progress, a committed result, a failure, or the end. Raises OSError when the ledger cannot be written."""
        watched, name = running.watched, running.job.checkpoint
        running.event = event if event.kind == "progress" else running.event
        if event.kind == "committed":
            self.pause.clear()
            running.say_committed(event)
            if not running.job.force and not running.asked:  # what is forced is committed anew in every attempt
                watched.ledger.progressed(name)
        elif event.kind in ("failed", "refused") and running.asked:
            self.note_request_failure(running, event, now)
        elif event.kind == "failed":
            self.note_failure(running, event, now)
        elif event.kind == "finished":
            self.finish(running, now)
        self.observer(watched, event)

    def note_request_failure(self, running: Running, event: Event, now: float) -> None:
        """What is refused or fails of a request is the request's own; a full disk is everybody's."""
        note_failure(running, event)
        if event.failure == Failure.STORAGE:
            self.pause.hit(event.cause, running.watched.run.midwatch, now)

    def note_failure(self, running: Running, event: Event, now: float) -> None:
        """What a failure means for the checkpoint, by its kind."""
        watched, name = running.watched, running.job.checkpoint
        what = running.say_failed(event)
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
        if running.asked:
            return finish(running, now)
        if not running.failures and not running.refunded:
            if running.job.force:
                watched.forced.add(name)
            watched.ledger.succeed(name)
        return running.say_finished(now)

    def in_turn(self) -> list[WatchedRun]:
        """The runs, beginning after the one that was served last."""
        runs = [watched for watched in self.runs.values() if watched.other is None]
        if self._served in runs:
            first = runs.index(self._served) + 1
            return runs[first:] + runs[:first]
        return runs

    @property
    def unusable(self) -> dict[Path, str]:
        """Runs of a folder that could not be opened, and why."""
        return self._finder.unusable

    @property
    def nothing_started(self) -> bool:
        """Whether no job was ever given to the engine."""
        return self._served is None

    @property
    def nothing_left(self) -> bool:
        """With `once`: whether everything that can be done is. Raises MidwatchError for what stands in the way."""
        if self.pause.cause:
            raise MidwatchError(f"{self.pause.cause}. Results stay.")
        if not self.computations or self.running is not None or self._dirty.is_set():
            return False
        if any(watched.desk.open for watched in self.runs.values()):
            return False
        return self.plan.asked_only or all_settled(list(self.runs.values()), self.targets[0])

    @property
    def due(self) -> float:
        """Unix time of the next scan that no event announces: something settles, or may be tried again."""
        rows = [row for watched in self.runs.values() for row in watched.rows]
        times = [time for row in rows for time in (row.settles_at, row.retry_at) if time is not None]
        rescan = self._scanned_at + max(self.plan.rescan_s, self._scan_s / SCAN_SHARE)
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
                running = self.running
                if running is not None and running.watched is watched and not running.asked:
                    watched.ledger.refund(running.job.checkpoint)
                    watched.running = None
                if watched.other is None:
                    self.status.stopped(watched, self.situation(watched, now), now)
                    watched.lease.release()
            except OSError as error:
                extra = entry("not_released", run=watched.run.name, cause=str(error))
                logger.warning("%s: %s", watched.run.name, error, extra=extra)
        self.running = None
