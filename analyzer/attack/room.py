"""Where the worker enters this room: what it needs is imported only when there is an attack to carry out."""

from __future__ import annotations

from importlib.util import find_spec

from analyzer.jobs.tasks import AttackTask
from analyzer.session.opened import Opened
from shared.errors import UsageError

MISSING = "midwatch attack needs pyribs; install it with: pip install 'midwatch[attack]'."


def attack(opened: Opened, task: AttackTask) -> None:
    """Raises UsageError without pyribs, and where there is nothing to start from."""
    if find_spec("ribs") is None:
        raise UsageError(MISSING)
    from analyzer.attack.attack import attack  # ribs brings numba, which takes seconds and megabytes

    attack(opened, task)
