"""Directories of models that nothing of ours may be written into: a trainer's checkpoints, the Hub's cache."""

from __future__ import annotations

from analyzer.checkpoints.hub_cache import is_snapshot
from shared.checkpoint_names import STEP_NAMED
from shared.errors import UsageError
from shared.run import Run


def refuse_to_write_in(run: Run) -> None:
    """Raise UsageError where a run's own directory is one that we only read, and no other was given to write to."""
    if run.out != run.path:
        return
    path = run.path
    if is_snapshot(path):
        name = path.parent.parent.name.rpartition("--")[2] or "model"
        raise UsageError(
            f"{path} lies in the Hub's cache, which we only read; pass --out DIR, e.g. --out {name}-midwatch."
        )
    if STEP_NAMED.match(path.name):
        raise UsageError(
            f"{path} is a checkpoint, whose trainer looks at its times; give its run, {path.parent}, or pass "
            "--out DIR to write elsewhere."
        )
