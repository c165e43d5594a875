"""Which checkpoints a report shows in full: the newest, the best and the first, each once."""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import RunError
from shared.results import ResultStore
from shared.run import Run, find_runs


class Best(NamedTuple):
    """The checkpoint that was best on validation, and what says so."""

    checkpoint: str
    by: str
    """ "validation auc" """


class Chosen(NamedTuple):
    """A checkpoint with results, and why it is shown."""

    checkpoint: str
    why: str
    """ "newest, best by validation auc" """


def chosen(run: Run, best: Best | None) -> list[Chosen]:
    """The newest first, then the best and the first where they are others.

    Raises RunError in one sentence where there is no result at all.
    """
    names = ResultStore(run.results).checkpoints()
    if not names:
        raise RunError(no_results(run))
    roles: dict[str, list[str]] = {names[-1]: ["newest"]}
    if best is not None and best.checkpoint in names:
        roles.setdefault(best.checkpoint, []).append(f"best by {best.by}")
    roles.setdefault(names[0], []).append("first")
    if len(names) == 1:
        return [Chosen(names[0], "the only one")]
    return [Chosen(name, ", ".join(why)) for name, why in roles.items()]


def no_results(run: Run) -> str:
    """That a directory has no results, and what to do about it."""
    runs = [path for path in find_runs(run.path) if path != run.path]
    advice = f"give one of its runs, e.g. {runs[0]}" if runs else f"run `midwatch analyze {run.path}`"
    return f"{run.path} has no results {'of its own' if runs else 'yet'}; {advice}."
