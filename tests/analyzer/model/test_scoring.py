"""Scores that are no numbers are told before anything is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.model.scoring import finite_scores
from shared.errors import CannotCompute


def test_finite_scores_stay_as_they_are() -> None:
    scores = np.array([[1e30, -1.0]])
    assert finite_scores(scores, "prompts") is scores


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_other_scores_are_counted(lost: float) -> None:
    with pytest.raises(CannotCompute, match=r"not finite \(NaN or infinity\) on 1 of 6 replaced prompts, so noth"):
        finite_scores(np.array([[0, 1, lost], [0, 1, 2]]), "replaced prompts")
