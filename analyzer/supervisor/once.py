"""`--once`: somebody waits in front of the screen, so say what for, and see when nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from analyzer.checkpoints.not_found import KINDS, nothing_in
from analyzer.supervisor.checkpoint_row import UNDECIDED
from analyzer.supervisor.said import Said
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import RunError, UsageError
from shared.logs import entry
from shared.records import CheckpointState


def say_what_settles(watched: WatchedRun, now: float, said: Said) -> None:
    """Name each checkpoint whose quiet time outlasts a rescan, once."""
    for row in watched.rows:
        if row.settles_at is not None and row.settles_at - now > watched.plan.rescan_s:
            extra = entry("settling", run=watched.run.name, checkpoint=row.point.name, cause=row.cause)
            said.once(logging.INFO, row.cause, extra)


def all_settled(runs: Sequence[WatchedRun], target: Path) -> bool:
    """Whether all runs, found at `target`, are done as far as can be; what stands in the way of one stops no other.

    Raises UsageError when all that there is lacks what it needs, RunError when there is nothing to do it with: one
    sentence a run.
    """
    if not runs:
        raise RunError(f"{target} holds no run: no directory with a checkpoint ({KINDS}).")
    if not all(watched.settled or blocked(watched) for watched in runs):
        return False
    tried = [watched for watched in runs if not trouble(watched)]
    if not tried and (sentences := [trouble(watched) for watched in runs]):
        asked = all(blocked(watched) for watched in runs if watched.rows) and any(watched.rows for watched in runs)
        raise (UsageError if asked else RunError)(" ".join(sentence for sentence in sentences if sentence))
    return True


def blocked(watched: WatchedRun) -> bool:
    """Whether all that is left to do in a run waits for its description."""
    undecided = [row for row in watched.rows if row.state in UNDECIDED or row.settles_at is not None]
    return watched.queue_blocked and all(row.state == CheckpointState.QUEUED and row.cause for row in undecided)


def trouble(watched: WatchedRun) -> str:
    """Why a run as a whole could not be analysed, as one sentence; empty when it could."""
    if watched.fault:
        return watched.fault
    if blocked(watched):
        return watched.description.problem
    if not watched.rows or (watched.run.pattern is not None and not watched.run.checkpoints()):
        return nothing_in(watched.run)
    return ""
