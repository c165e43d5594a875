"""The job that the engine has."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.jobs.messages import Event, Job
from analyzer.supervisor.watched_run import WatchedRun


@dataclass
class Running:
    """The job the engine has."""

    watched: WatchedRun
    job: Job
    identity: str
    failures: list[str] = field(default_factory=list)
    refunded: bool = False
    started_at: float = 0.0
    event: Event | None = None
    """The newest progress."""
