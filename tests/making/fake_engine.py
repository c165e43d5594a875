"""An engine without processes: does what it is told to, at the next poll. For stepping the supervisor by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from analyzer.checkpoints.digest import compute_digest
from analyzer.checkpoints.soundness import validate
from analyzer.jobs.keys import key_settings, note_drawn
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation, Event, Failure, Job
from analyzer.jobs.result_index import StoreIndex
from shared.prompts.probes import read_probes
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from tests.making.fake_worker import COMPUTATIONS

Behaviour = Callable[[Job], list[Event]]


def work(job: Job) -> list[Event]:
    """Commit an empty result for every analysis that is missing, and note the figures as drawn."""
    events = [Event(kind="started", job=job.id)]
    run, keys = Run(job.run, job.out), job_keys(job)
    for name, key in keys.items():
        if name in job.analyses and ResultStore(run.results).commit(record_of(job, name, key)):
            events.append(Event(kind="committed", job=job.id, analysis=name))
    note_drawn(run, job.checkpoint, {keys[name] for name in job.analyses})
    return [*events, Event(kind="finished", job=job.id)]


def failing(failure: Failure, cause: str = "because", analysis: str = "") -> Behaviour:
    """A job that fails in one way, having committed nothing."""

    def fail(job: Job) -> list[Event]:
        return [
            Event(kind="started", job=job.id),
            Event(kind="failed", job=job.id, failure=failure, cause=cause, analysis=analysis),
            Event(kind="finished", job=job.id),
        ]

    return fail


def job_keys(job: Job) -> dict[str, str]:
    run = Run(job.run, job.out)
    files = tuple(job.files)
    digest = compute_digest(job.directory, validate(job.directory, job.source), job.checkpoint, files, run.digests)
    probe_digest = read_probes(job.probes).digest
    search = LineageSearch(StoreIndex(ResultStore(run.results)), COMPUTATIONS, job.record.judge, probe_digest)
    return search.keys(COMPUTATIONS, digest.digest)


def record_of(job: Job, name: str, key: str) -> ResultRecord:
    return ResultRecord(
        analysis=name,
        analysis_version=1,
        checkpoint=job.checkpoint,
        step=job.step,
        epoch=job.epoch,
        key=key,
        checkpoint_digest=hashlib.sha256(b"").hexdigest(),
        probe_digest="",
        settings=key_settings(COMPUTATIONS[name], job.record.judge),
        order_unverified=job.order_unverified,
    )


@dataclass
class FakeEngine:
    """Ready at the first poll; each job is done at the poll after it was submitted."""

    behaviour: Behaviour = work
    held: bool = False
    """Jobs stay unfinished while this is set."""
    computations: dict[str, Computation] = field(default_factory=lambda: dict(COMPUTATIONS))
    jobs: list[Job] = field(default_factory=list)
    ready: bool = False
    closed: bool = False
    workers: int = 1
    """Jobs that it has at once at most."""
    _running: dict[str, Job] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def start(self) -> None:
        pass

    @property
    def capacity(self) -> int:
        return self.workers

    @property
    def busy(self) -> bool:
        return len(self._running) >= self.workers or not self.ready

    @property
    def devices(self) -> tuple[str, ...]:
        return ("cpu",) * self.workers if self.ready else ()

    @property
    def free(self) -> tuple[str, ...]:
        return () if self.busy else ("cpu",) * (self.workers - len(self._running))

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        if self.busy:
            raise RuntimeError("the engine is busy")
        self.jobs.append(job)
        self._running[job.id] = job

    def poll(self, now: float) -> list[Event]:
        if not self.ready:
            self.ready = True
            return [Event(kind="ready", device="cpu", computations=self.computations)]
        over = [job for job in self._running.values() if not self.held or job.id in self.cancelled]
        for job in over:
            del self._running[job.id]
        return [event for job in over for event in self._end(job)]

    def _end(self, job: Job) -> list[Event]:
        behaviour = failing(Failure.LOST) if job.id in self.cancelled else self.behaviour
        self.cancelled.discard(job.id)
        return behaviour(job)

    def cancel(self, job_id: str) -> None:
        if job_id in self._running:
            self.cancelled.add(job_id)

    def close(self) -> None:
        self.closed = True
        self._running.clear()

    @property
    def names(self) -> list[str]:
        """Checkpoints in the order they were submitted."""
        return [job.checkpoint for job in self.jobs]
