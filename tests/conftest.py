"""How the tests are spread over several processes: the longest files first, users of a costly judge together.

A file stays in one process, for its fixtures' sake; a long one that came last would leave the other core idle.
"""

from __future__ import annotations

from typing import Any

import pytest

SMOLLM2, TRAINED, TRUTH = "smollm2", "trained", "truth"
TOGETHER = {
    "tests/e2e/test_decoder.py": SMOLLM2,
    "tests/trainer/test_judge.py": SMOLLM2,
    "tests/analyzer/analyses/test_truth.py": TRAINED,
    "tests/analyzer/analyses/test_planted_suite.py": TRAINED,
    "tests/analyzer/patching/test_against_exact_patching.py": TRAINED,
    "tests/truth/test_sentences.py": TRUTH,
    "tests/truth/test_plants_are_there.py": TRUTH,
}
"""Files that read the same judge of `tests/making/`, which is made once a process."""
LONGEST = (
    SMOLLM2,
    TRAINED,
    TRUTH,
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
