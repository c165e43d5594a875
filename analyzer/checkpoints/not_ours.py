"""Directories of models that nothing of ours may be written into: a trainer's checkpoints, the Hub's cache."""

from __future__ import annotations

from analyzer.checkpoints.hub_cache import is_snapshot
from shared.checkpoint_names import ROOT, STEP_NAMED
from shared.errors import RunError, UsageError
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
    if _is_one_of_several(run):
        raise UsageError(
            f"{path} is one of the checkpoints of {path.parent}, and nothing is written into a checkpoint; give "
            "its run, or pass --out DIR to write elsewhere."
        )


def _is_one_of_several(run: Run) -> bool:
    """Whether a model lies as a checkpoint (`epoch_3`, `final`) beside others; alone, or over some, it is a run."""
    if run.checkpoints() != [ROOT]:
        return False
    try:
        names = Run.at(run.path.parent).checkpoints()
    except RunError:
        return False  # a parent that nobody may list
    return run.path.name in names and len(names) > 1
