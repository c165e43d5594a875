"""Several engines as one. A job goes to a free worker that holds its run's judge, else to the one idle longest.

Which worker holds what is only remembered, never relied upon: a worker that died has forgotten it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from analyzer.engines.engine import Engine
from analyzer.jobs.messages import Event, Failure, Job
from shared.errors import MidwatchError
from shared.logs import entry

logger = logging.getLogger(__name__)

DIED = (Failure.CRASH, Failure.TIMEOUT, Failure.LOST)
"""Failures with which a worker ends."""
AGAIN_S = 600.0
"""Seconds after which a worker that could not start is tried again: a GPU that was full has room again."""


@dataclass(eq=False)
class Member:
    """One engine of the pool, with one worker."""

    engine: Engine
    job: str = ""
    """Id of the job that it has."""
    run: Path | None = None
    """The run whose judge it holds."""
    idle_since: int = 0
    """Counts jobs: the smaller, the longer it is idle."""
    given_up: bool = False
    """Whether it could start no worker."""
    tried_at: float = 0.0
    """When that was seen, or it was tried again, seconds of the clock of `poll`."""


class Pool:
    """Engines of one worker each, e.g. one a device."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._members = [Member(engine) for engine in engines]
        self._jobs = 0

    @property
    def capacity(self) -> int:
        return sum(member.engine.capacity for member in self._members if not member.given_up)

    @property
    def busy(self) -> bool:
        return all(member.engine.busy for member in self._members)

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(device for member in self._members for device in member.engine.devices)

    @property
    def free(self) -> tuple[str, ...]:
        return tuple(device for member in self._members for device in member.engine.free)

    def start(self) -> None:
        for member in self._members:
            member.engine.start()

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        free = [each for each in self._members if _is_on(each.engine.free, devices)]
        if not free:
            raise RuntimeError("the engine is busy")
        self._jobs += 1
        member = min(free, key=lambda each: (each.run != job.run, each.idle_since))
        member.job, member.run, member.idle_since = job.id, job.run, self._jobs
        member.engine.submit(job, devices)

    def poll(self, now: float) -> list[Event]:
        events = [event for member in self._members for event in self._heard(member, member.engine.poll(now), now)]
        for member in self._members:
            if member.given_up and now - member.tried_at >= AGAIN_S:
                member.tried_at = now
                self._try_again(member)
        return events

    def cancel(self, job_id: str) -> None:
        for member in self._members:
            if member.job == job_id:
                member.engine.cancel(job_id)

    def close(self) -> None:
        with ThreadPoolExecutor(len(self._members)) as together:  # each may wait for its worker to end
            list(together.map(lambda member: member.engine.close(), self._members))

    def _try_again(self, member: Member) -> None:
        try:
            member.engine.start()
        except (MidwatchError, OSError) as error:  # the others go on
            logger.info("a worker still cannot start: %s", error, extra=entry("worker_still_out", cause=str(error)))

    def _heard(self, member: Member, events: list[Event], now: float) -> list[Event]:
        """One member's events, without the end of a worker that others make up for."""
        found = []
        for event in events:
            if event.kind == "ready" or event.failure in DIED:
                member.run = None
            if event.kind == "ready" and member.given_up:
                member.given_up = False
                logger.info("going on with %d workers again", self.capacity, extra=entry("worker_back"))
            if event.kind == "finished":
                self._jobs += 1
                member.job, member.idle_since = "", self._jobs
            if event.kind == "refused" and not event.job and event.failure is not None:
                known = member.given_up
                member.tried_at = member.tried_at if known else now
                if self._gives_up(member):
                    if not known:
                        extra = entry("worker_given_up", cause=event.cause)
                        logger.error("going on with %d workers: %s", self.capacity, event.cause, extra=extra)
                    continue
            found.append(event)
        return found

    def _gives_up(self, member: Member) -> bool:
        """One worker less; whether others are left."""
        member.given_up = True
        return any(not each.given_up for each in self._members)


def _is_on(free: Sequence[str], devices: Collection[str] | None) -> bool:
    return bool(free) and (devices is None or bool(set(free) & {*devices}))
