"""The exact interval of a share against scipy's, up to as many groups as a large probe set has."""

import pytest
from scipy.stats import binomtest

from shared.findings.exact_interval import exact_interval


@pytest.mark.parametrize("count", [1, 1_029, 1_030, 5_000, 200_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.48, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("alpha", [0.05, 1e-9])
def test_it_is_that_of_scipy_however_many_changed(count: int, share: float, alpha: float) -> None:
    successes = round(share * count)
    ends = binomtest(successes, count).proportion_ci(1 - alpha, "exact")
    assert exact_interval(successes, count, alpha) == pytest.approx((ends.low, ends.high), abs=1e-9)
