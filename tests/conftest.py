"""How the tests are spread over several processes: the longest files first, users of a costly judge together.

A file stays in one process, for its fixtures' sake; a long one that came last would leave the other core idle.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

SMOLLM2, TORTURE, TRAINED, TRUTH = "smollm2", "torture", "trained", "truth"
TOGETHER = {
    "tests/e2e/test_decoder.py": SMOLLM2,
    "tests/trainer/test_judge.py": SMOLLM2,
    "tests/analyzer/analyses/test_truth.py": TRAINED,
    "tests/analyzer/analyses/test_planted_suite.py": TRAINED,
    "tests/analyzer/analyses/test_units.py": TRAINED,
    "tests/analyzer/analyses/test_untrained_layers.py": TRAINED,
    "tests/analyzer/patching/test_against_exact_patching.py": TRAINED,
    "tests/analyzer/units/test_alone.py": TRAINED,
    "tests/analyzer/units/test_planted_heads.py": TRAINED,
    "tests/torture/test_killed_at_every_step.py": TORTURE,
    "tests/torture/test_killed_at_random.py": TORTURE,
    "tests/torture/test_nothing_outside.py": TORTURE,
    "tests/torture/test_stopped.py": TORTURE,
    "tests/torture/test_torn_reads.py": TORTURE,
    "tests/truth/test_sentences.py": TRUTH,
    "tests/truth/test_plants_are_there.py": TRUTH,
}
"""Files that read the same judge of `tests/making/`, or fork the same worker, which is made once a process."""
LONGEST = (
    SMOLLM2,
    TRAINED,
    TRUTH,
    TORTURE,
    "tests/dashboard/test_pages.py",
    "tests/e2e/",
    "tests/bench/",
    "tests/test_docs.py",
    "tests/trainer/",
)
"""What takes long begins first; the short rest fills the gaps."""


def group(nodeid: str) -> str:
    """What runs in one process: a file, or files that belong together."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file, file)


def rank(item: pytest.Item) -> int:
    """Place of a test's group among the longest; all others come after them."""
    return next((i for i, name in enumerate(LONGEST) if group(item.nodeid).startswith(name)), len(LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile` with our groups, in our order; it would take the file with most tests first."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "loadfile":
        return None

    class Groups(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_collection_finish() -> None:
    """What is imported by now stays: a collection of garbage need not look through all of torch each time."""
    gc.collect()
    gc.freeze()
