"""Who computes a job: the interface that every engine keeps."""

from __future__ import annotations

from typing import Protocol

from analyzer.jobs.messages import Event, Job


class Engine(Protocol):
    """Computes one job at a time."""

    def start(self) -> None:
        """Get ready ahead of the first job; a `ready` or `refused` event follows."""
        ...

    @property
    def busy(self) -> bool:
        """Whether it cannot take a job now: one is running, or it is not ready."""
        ...

    def submit(self, job: Job) -> None:
        """Start a job; only when not busy."""
        ...

    def poll(self, now: float) -> list[Event]:
        """What happened since the last call. Every submitted job ends in `finished`, whatever becomes of it."""
        ...

    def cancel(self) -> None:
        """Drop the running job, at once; its `finished` follows. What it committed stays."""
        ...

    def close(self) -> None:
        """End everything."""
        ...
