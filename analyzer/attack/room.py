"""Where the worker enters this room: what it needs is imported only when there is an attack to carry out."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from analyzer.jobs.tasks import AttackTask
from shared.errors import UsageError
from shared.run import Run

if TYPE_CHECKING:
    from analyzer.attack.material import Material
    from analyzer.jobs.messages import Job
    from analyzer.session.opened import Opened

MISSING = "midwatch attack needs pyribs; install it with: pip install 'midwatch[attack]'."


def require_pyribs() -> None:
    """Raises UsageError without it."""
    if find_spec("ribs") is None:
        raise UsageError(MISSING)


def read_material(job: Job, task: AttackTask) -> Material:
    """What it starts from. Raises UsageError without pyribs, and where there is nothing to start from."""
    require_pyribs()
    from analyzer.attack.material import gather

    return gather(Run(job.run, job.out), task)


def attack(opened: Opened, task: AttackTask, material: Material) -> None:
    """Raises UsageError where every seed is judged wrongly, or an archive of another version is in the way."""
    from analyzer.attack.attack import attack  # ribs brings numba, which takes seconds and megabytes

    attack(opened, task, material)
