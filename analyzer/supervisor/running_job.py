"""The job that the engine has: what it is given, and what is said of it."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field

from analyzer.jobs.messages import Event, Failure, Job
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.watched_run import WatchedRun
from shared.logs import entry

logger = logging.getLogger(__name__)


@dataclass
class Running:
    """The job the engine has."""

    watched: WatchedRun
    job: Job
    identity: str
    failures: list[str] = field(default_factory=list)
    refunded: bool = False
    lost: str = ""
    """Why it was interrupted, through no fault of the checkpoint's; empty where it was not."""
    started_at: float = 0.0
    asked: str = ""
    """Id of the request that it is for; empty where nobody had to ask."""
    failed: list[tuple[Failure, str]] = field(default_factory=list)
    """What failed of a request's job, and why."""
    event: Event | None = None
    """The newest progress."""
    missing: int | None = None
    """How many analyses are to be done; None where only its weights can tell."""

    @property
    def is_lost(self) -> bool:
        """Whether another analyzer has the run, or had it since this began."""
        return self.watched.other is not None or self.job.lease != self.watched.lease.owner

    def say_started(self) -> None:
        """The engine has it; of what was asked its answer tells."""
        run, name, missing = self.watched.run.name, self.job.checkpoint, self.missing
        if self.asked:
            return
        if missing is None:
            told = "start; how much of its results is still right is seen once its weights are read"
            logger.info("%s/%s: %s", run, name, told, extra=entry("started", run=run, checkpoint=name))
            return
        extra = entry("started", run=run, checkpoint=name, analyses=missing)
        words = "1 analysis" if missing == 1 else f"{missing} analyses"
        logger.info("%s/%s: start, %s missing", run, name, words, extra=extra)

    def say_committed(self, event: Event) -> None:
        """A result is there."""
        run, name = self.watched.run.name, self.job.checkpoint
        extra = entry("committed", run=run, checkpoint=name, analysis=event.analysis, seconds=event.seconds)
        logger.info("%s/%s: %s, %.1f s", run, name, event.analysis, event.seconds, extra=extra)

    def say_failed(self, event: Event) -> str:
        """An analysis, or all of it, failed; returns what was said of it."""
        run, name = self.watched.run.name, self.job.checkpoint
        what = f"{event.analysis}: {event.cause}" if event.analysis else event.cause
        kind = str(event.failure or Failure.ANALYSIS)
        extra = entry("failed", run=run, checkpoint=name, analysis=event.analysis, failure=kind, cause=event.cause)
        logger.warning("%s/%s: %s", run, name, what, extra=extra)
        return what

    def say_finished(self, now: float) -> None:
        """The job is over, with everything done or not."""
        run, name, seconds = self.watched.run.name, self.job.checkpoint, now - self.started_at
        if self.lost:
            extra = entry("interrupted", run=run, checkpoint=name, seconds=seconds, cause=self.lost)
            logger.info("%s/%s: interrupted after %.1f s, and done again", run, name, seconds, extra=extra)
        elif self.failures or self.refunded:
            extra = entry("unfinished", run=run, checkpoint=name, seconds=seconds, cause=" ".join(self.failures))
            logger.info("%s/%s: ended after %.1f s, not done", run, name, seconds, extra=extra)
        else:
            extra = entry("finished", run=run, checkpoint=name, seconds=seconds)
            logger.info("%s/%s: done in %.1f s", run, name, seconds, extra=extra)


def job_of(watched: WatchedRun, row: Row, wanted: list[str]) -> Job:
    """Everything the worker needs for a queued checkpoint, pinned. Raises OSError and CheckpointChanged."""
    candidate, known = row.candidate, watched.description
    assert candidate is not None and known.record is not None  # noqa: S101 (only such rows are queued)
    pin = watched.pins.pin(candidate)
    tried = watched.ledger.read(candidate.name, row.identity)
    return Job(
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
        lease=watched.lease.owner,
        probes=known.probes,
        analyses=[name for name in wanted if name not in tried.cannot],
        force=watched.plan.force,
        warnings=known.warnings,
        neighbour=watched.neighbour(candidate.name),
        family=None if known.family is None else known.family.model_dump(mode="json"),
        batch_divisor=2**tried.memory_failures,
    )
