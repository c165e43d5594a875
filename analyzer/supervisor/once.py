"""`--once`: somebody waits in front of the screen, so say what for, and see when nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from analyzer.supervisor.said import Said
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import RunError, UsageError
from shared.logs import entry


def say_what_settles(watched: WatchedRun, now: float, said: Said) -> None:
    """Name each checkpoint whose quiet time outlasts a rescan, once."""
    for row in watched.rows:
        if row.settles_at is not None and row.settles_at - now > watched.plan.rescan_s:
            extra = entry("settling", run=watched.run.name, checkpoint=row.point.name, cause=row.cause)
            said.once(logging.INFO, row.cause, extra)


def all_settled(runs: Sequence[WatchedRun], target: Path) -> bool:
    """Whether all runs, found at `target`, are done as far as can be.

    Raises UsageError when a run lacks what it needs, RunError when there is nothing to do it with.
    """
    if not runs:
        raise RunError(f"{target} holds no run: no directory with checkpoint-<step> directories.")
    for watched in runs:
        if watched.description.problem and watched.queue_blocked:
            raise UsageError(watched.description.problem)
    faults = [watched.fault for watched in runs if watched.fault]
    if not any(watched.rows for watched in runs):
        raise RunError(faults[0] if faults else f"{target} has no checkpoint-<step> directories yet.")
    settled = all(watched.settled for watched in runs)
    if settled and faults:
        raise RunError(faults[0])
    return settled
