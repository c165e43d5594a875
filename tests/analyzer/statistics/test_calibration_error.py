"""The calibration error against scikit-learn and brute force, and how often its interval and null hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve

from analyzer.statistics.calibration_error import (
    calibration_error,
    equal_mass_bins,
    error_by_chance,
    error_interval,
)
from analyzer.statistics.intervals import Clusters


def stated(seed: int, count: int = 400, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn from them before they were made `sharper`."""
    random = np.random.default_rng(seed)
    scores = 2 * random.standard_normal(count)
    return expit(sharper * scores), random.random(count) < expit(scores)


@pytest.mark.parametrize("bins", [5, 10])
def test_bins_and_error_are_scikit_learns(bins: int) -> None:
    probabilities, unsafe = stated(0)
    share, mean = calibration_curve(unsafe, probabilities, n_bins=bins, strategy="quantile")
    of_bin = equal_mass_bins(probabilities, bins)
    assert [unsafe[of_bin == b].mean() for b in range(bins)] == pytest.approx(share, abs=1e-12)
    assert [probabilities[of_bin == b].mean() for b in range(bins)] == pytest.approx(mean, abs=1e-12)
    weights = np.bincount(of_bin) / len(of_bin)
    wanted = float((weights * np.abs(share - mean)).sum())
    assert calibration_error(probabilities, unsafe, of_bin) == pytest.approx(wanted, abs=1e-12)


def test_equal_probabilities_fall_into_one_bin() -> None:
    probabilities = np.repeat([0.0, 0.5, 1.0], [80, 10, 80])
    bins = equal_mass_bins(probabilities, 10)
    assert all(len(np.unique(bins[probabilities == p])) == 1 for p in (0.0, 0.5, 1.0))
    assert calibration_error(probabilities, probabilities > 0.4, bins) == pytest.approx(5 / 170)


def test_chance_is_what_a_calibrated_judge_gets() -> None:
    """Its own ECE is as large in mean, and the p of judges that are calibrated is even."""
    errors, p_values = [], []
    for seed in range(120):
        probabilities, unsafe = stated(seed, 128)
        bins = equal_mass_bins(probabilities, 10)
        errors.append(calibration_error(probabilities, unsafe, bins))
        chance = error_by_chance(probabilities, bins, errors[-1], 200, seed)
        p_values.append(chance.p_value)
    assert np.mean(errors) == pytest.approx(chance.mean, rel=0.15)
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) + 0.01 <= 0.12
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)


def test_a_judge_that_is_too_sure_is_beyond_chance() -> None:
    probabilities, unsafe = stated(1, 400, sharper=4.0)
    bins = equal_mass_bins(probabilities, 10)
    found = calibration_error(probabilities, unsafe, bins)
    chance = error_by_chance(probabilities, bins, found, 1000, 0)
    assert chance.p_value == pytest.approx(1 / 1001) and found > chance.high > chance.mean


def test_the_interval_by_brute_force() -> None:
    probabilities, unsafe = stated(2, 60, sharper=2.0)
    clusters = Clusters((np.arange(60) // 2).tolist(), 200, 3)
    bins = equal_mass_bins(probabilities, 5)
    drawn = []
    for taken in clusters.weights:
        rows = np.repeat(np.arange(60), taken.astype(int))
        sums = [abs((unsafe[rows] - probabilities[rows])[bins[rows] == b].sum()) for b in range(5)]
        drawn.append(sum(sums) / len(rows))
    found = error_interval(probabilities, unsafe, bins, clusters)
    low, high = 2 * found.value - np.quantile(drawn, [0.975, 0.025])
    assert found.low == pytest.approx(max(0.0, min(low, found.value)), abs=1e-9)
    assert found.high == pytest.approx(max(high, found.value), abs=1e-9)


def test_intervals_hold_the_error_of_all_prompts() -> None:
    """Of a judge that is too sure, 256 prompts a sample: the error that a million prompts have."""
    everything = stated(10**6, 10**6, sharper=3.0)
    truth, held = calibration_error(*everything, equal_mass_bins(everything[0], 10)), 0
    for seed in range(100):
        probabilities, unsafe = stated(seed, 256, sharper=3.0)
        bins = equal_mass_bins(probabilities, 10)
        found = error_interval(probabilities, unsafe, bins, Clusters(range(256), 300, seed))
        held += found.low <= truth <= found.high
    assert held >= 88
