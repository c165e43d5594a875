"""Of which verdicts the headline over a run says that none got worse: those that were tested."""

from __future__ import annotations

from typing import Any

import pytest

from shared.views.over_run.evolution import _headline
from tests.making.fake_evolution import fake_evolution

NO_RUN: Any = None
"""The headline follows from the results alone."""


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (1, "all verdicts together got no worse beyond chance (FNR and FPR need 4 checkpoints before"),
        (3, "all verdicts together got no worse beyond chance (FNR and FPR need 4 checkpoints before"),
        (4, "no verdicts got worse beyond chance (other numbers need 9 checkpoints before)"),
        (9, "no change stands out from the steps before it"),
    ],
)
def test_it_says_of_what_no_alarm_was_raised(seen: int, said: str) -> None:
    result = fake_evolution(2, 6, 4)[0].model_copy(update={"seen": seen, "alerts": []})
    assert _headline(NO_RUN, {20: result}).startswith(f"No alarm: {said}")
