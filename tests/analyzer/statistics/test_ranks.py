"""The interval of a rank correlation: against the formula, and how often it holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzer.statistics.ranks import spearman_interval


def test_it_is_fishers_z_with_the_error_of_bonett_and_wright() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 20))
    found = spearman_interval(one.tolist(), two.tolist())
    rho = stats.spearmanr(one, two).statistic
    half = stats.norm.ppf(0.975) * math.sqrt((1 + rho**2 / 2) / 17)
    assert found is not None and found.value == pytest.approx(rho)
    assert (found.low, found.high) == (
        pytest.approx(math.tanh(math.atanh(rho) - half)),
        pytest.approx(math.tanh(math.atanh(rho) + half)),
    )


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_it_covers(rho: float) -> None:
    """Of 600 normal samples of 28 pairs; the truth for normal pairs is 6 / pi asin(rho / 2)."""
    random = np.random.default_rng(1)
    truth, inside = 6 / math.pi * math.asin(rho / 2), 0
    for _ in range(600):
        pairs = random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 28).T
        found = spearman_interval(*pairs.tolist())
        assert found is not None
        inside += found.low <= truth <= found.high
    assert inside / 600 > 0.92


def test_perfect_agreement_and_too_few() -> None:
    found = spearman_interval([1, 2, 3, 4, 5], [2, 3, 5, 7, 9])
    assert found is not None and found.value == pytest.approx(1)
    assert found.low <= found.value <= found.high and found.high == pytest.approx(1)
    assert spearman_interval([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert spearman_interval([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) is None
