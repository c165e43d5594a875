"""The probability that a judge states is that before a user's threshold, and none where it states none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from shared.stated_probability import stated_probability

SCORES = np.array([-800.0, -1.5, np.nan, 0.0, 2.0, 800.0])


@pytest.mark.parametrize("shift", [0.0, 1.25])
def test_it_is_the_sigmoid_of_the_log_odds(shift: float) -> None:
    assert stated_probability(SCORES, shift) == pytest.approx(expit(SCORES + shift), nan_ok=True)


def test_a_judge_that_states_none_has_none() -> None:
    assert np.isnan(stated_probability(SCORES, None)).all()
