"""Trying again what failed: attempts on file are forgotten, and the next scan finds the work undone."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.supervisor.attempts import Ledger
from shared.checkpoint_names import step_of
from shared.errors import UsageError
from shared.results import ResultStore
from shared.run import Run


def forget_failures(run: Run, checkpoints: Sequence[str]) -> list[str]:
    """Forget the failed attempts of these checkpoints, or of all where none is named; returns those that had any.

    Raises UsageError for what is no checkpoint of the run.
    """
    ledger = Ledger(run.attempts)
    known = {*ledger.checkpoints(), *run.checkpoints(), *ResultStore(run.results).checkpoints()}
    if wrong := [name for name in checkpoints if name not in known and step_of(name) is None]:
        raise UsageError(f"{wrong[0]!r} is not a checkpoint of {run.name}; write checkpoint-120, or 120.")
    return [name for name in checkpoints or ledger.checkpoints() if ledger.reset(name)]
