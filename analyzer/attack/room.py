"""Where the worker enters this room: what it needs is imported only when there is an attack to carry out."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from analyzer.jobs.tasks import AttackTask
from shared.errors import UsageError

if TYPE_CHECKING:
    from analyzer.session.opened import Opened

MISSING = "midwatch attack needs pyribs; install it with: pip install 'midwatch[attack]'."


def require_pyribs() -> None:
    """Raises UsageError without it."""
    if find_spec("ribs") is None:
        raise UsageError(MISSING)


def attack(opened: Opened, task: AttackTask) -> None:
    """Raises UsageError without pyribs, and where there is nothing to start from."""
    require_pyribs()
    from analyzer.attack.attack import attack  # ribs brings numba, which takes seconds and megabytes

    attack(opened, task)
