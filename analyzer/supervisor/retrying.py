"""Trying again what failed: attempts on file are forgotten, and the next scan finds the work undone."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.supervisor.attempts import Ledger
from shared.errors import SchemaError, UsageError
from shared.results import ResultStore
from shared.run import Run
from shared.status_file import read_status


def forget_failures(run: Run, checkpoints: Sequence[str]) -> list[str]:
    """Forget the failed attempts of these checkpoints, or of all where none is named; returns those that had any.

    Raises UsageError for what is no checkpoint of the run.
    """
    ledger = Ledger(run.attempts)
    known = {*ledger.checkpoints(), *run.checkpoints(), *ResultStore(run.results).checkpoints(), *_listed(run)}
    if wrong := [name for name in checkpoints if name not in known]:
        raise UsageError(f"{wrong[0]!r} is not a checkpoint of {run.name}; write checkpoint-120, or 120.")
    return [name for name in checkpoints or ledger.checkpoints() if ledger.reset(name)]


def _listed(run: Run) -> list[str]:
    """Checkpoints of which the analyzer knows, those that are gone among them."""
    try:
        return [row.checkpoint for row in read_status(run.status).checkpoints]
    except (OSError, SchemaError):
        return []
