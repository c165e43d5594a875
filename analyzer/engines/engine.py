"""Who computes a job: the interface that every engine keeps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from analyzer.jobs.messages import Event, Job


class Engine(Protocol):
    """Computes jobs, each of them in one worker, and at most `capacity` of them at once."""

    def start(self) -> None:
        """Get ready ahead of the first job; a `ready` or `refused` event follows."""
        ...

    @property
    def capacity(self) -> int:
        """How many jobs it computes at once at most."""
        ...

    @property
    def busy(self) -> bool:
        """Whether it cannot take another job now: every worker has one, or is not ready."""
        ...

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices of all workers that are ready, busy ones among them, a worker each."""
        ...

    @property
    def free(self) -> tuple[str, ...]:
        """Devices of the workers that can take a job now, a worker each; empty when busy."""
        ...

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        """Start a job; only when not busy. It goes to a free worker on one of `devices`, by default on any."""
        ...

    def poll(self, now: float) -> list[Event]:
        """What happened since the last call. Every submitted job ends in `finished`, whatever becomes of it."""
        ...

    def cancel(self, job_id: str) -> None:
        """Drop a running job, at once; its `finished` follows. What it committed stays. Others are left alone."""
        ...

    def close(self) -> None:
        """End everything."""
        ...
