"""An analyzer stepped by hand: the real supervisor, the real telling of failures, and results without a model."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.jobs.keys import note_drawn
from analyzer.jobs.messages import Event, Failure, Job
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.worker.work import Work
from shared.results import ResultStore
from tests.making.chunked_training import WEIGHTS
from tests.making.fake_engine import FakeEngine, failing, job_keys, record_of


@dataclass
class Clock:
    """What the system's clock says, and what passes of a clock that nobody sets; seconds."""

    now: float
    ticks: float = 0.0

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.ticks += seconds


@dataclass
class Books:
    """What all analyzers of one test published."""

    commits: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How often (checkpoint, analysis, key) was committed."""
    weights: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """SHA-256 of the weights that each was computed on."""


@dataclass
class PublishingWork(Work):
    """A job whose results say nothing. What goes wrong is told as the real worker tells it."""

    books: Books

    def run_all(self) -> None:
        self.digest()
        job, run = self.job, self.run
        seen = hashlib.sha256((job.directory / WEIGHTS).read_bytes()).hexdigest()
        keys = job_keys(job)
        for name in job.analyses:
            self.verify()
            if ResultStore(run.results, job.lease).commit(record_of(job, name, keys[name])):
                place = (f"{job.run.name}/{job.checkpoint}", name, keys[name])
                self.books.commits[place] += 1
                self.books.weights[place] = seen
                self.emit(Event(kind="committed", job=job.id, analysis=name))
        note_drawn(run, job.checkpoint, {keys[name] for name in job.analyses})


@dataclass
class SteppedAnalyzer:
    """One analyzer over a folder of runs."""

    folder: Path
    clock: Clock
    books: Books
    workers: int = 1
    fails_with: list[Failure] = field(default_factory=list)
    """How its next jobs fail, the first one first."""
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """As after its start, with nothing in memory."""
        self.engine = FakeEngine(behaviour=self.work, workers=self.workers)
        clock = self.clock
        self.supervisor = Supervisor(
            [self.folder], self.plan, self.engine, clock=lambda: clock.now, ticks=lambda: clock.ticks
        )

    def work(self, job: Job) -> list[Event]:
        if self.fails_with:
            return failing(self.fails_with.pop(0))(job)
        events = [Event(kind="started", job=job.id)]
        work = PublishingWork(job, events.append, self.books)
        try:
            work.run_all()
        except Exception as error:  # noqa: BLE001 (as the worker's own)
            work.report(error)
        return [*events, Event(kind="finished", job=job.id)]

    def step(self) -> None:
        self.supervisor.step(self.clock.now)

    def killed(self) -> None:
        """Without a word: nothing is closed, and what its lease is worth then is the lease's own test."""
        for watched in self.supervisor.runs.values():
            watched.lease.release()
        self.start()

    def stopped(self) -> None:
        """Gently, and started again."""
        self.supervisor.close()
        self.start()
