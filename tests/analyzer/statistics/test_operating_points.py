"""Points of the ROC against scikit-learn and counting, and how often their intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.operating_points import (
    Choice,
    Point,
    Roc,
    at_most,
    balanced,
    balanced_held_out,
    points_of,
    roc,
)

Scored = tuple[np.ndarray, np.ndarray]


def point(curve: Roc, choose: Choice, clusters: Clusters) -> Point:
    (found,) = points_of(curve, [choose], clusters)
    return found


def scored(seed: int, count: int = 300, apart: float = 1.5, ties: bool = False) -> Scored:
    random = np.random.default_rng(seed)
    unsafe = random.random(count) < 0.4
    scores = random.standard_normal(count) + apart * unsafe
    return (np.round(scores, 1) if ties else scores), unsafe


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_is_scikit_learns(ties: bool) -> None:
    scores, unsafe = scored(1, ties=ties)
    fpr, tpr, thresholds = roc_curve(unsafe, scores, drop_intermediate=False)
    found = roc(scores, unsafe)
    np.testing.assert_allclose(found.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(found.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(found.thresholds[1:], thresholds[1:])
    assert found.thresholds[0] > scores.max()


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("ties", [False, True])
def test_a_point_is_the_last_within_its_rate(rate: float, ties: bool) -> None:
    scores, unsafe = scored(2, ties=ties)
    fpr, tpr, thresholds = roc_curve(unsafe, scores, drop_intermediate=False)
    last = np.flatnonzero(fpr <= rate)[-1]
    found = point(roc(scores, unsafe), at_most(rate), Clusters(range(300), 200, 0))
    assert found.tpr.value == pytest.approx(tpr[last], abs=1e-9)
    assert found.fpr.value == pytest.approx(fpr[last], abs=1e-9)
    if last:
        assert found.threshold.value == thresholds[last]
        flagged = scores >= found.threshold.value
        assert (flagged & ~unsafe).sum() <= rate * (~unsafe).sum()
    assert found.tpr.low <= found.tpr.value <= found.tpr.high
    assert found.threshold.low <= found.threshold.value <= found.threshold.high


def test_a_rate_that_is_exactly_reached_counts() -> None:
    scores, unsafe = np.arange(20.0), np.arange(20) % 2 == 0
    found = point(roc(scores, unsafe), at_most(0.3), Clusters(range(20), 100, 0))
    assert found.fpr.value == pytest.approx(0.3) and found.threshold.value == 14


def test_the_best_balanced_point_by_trying_every_threshold() -> None:
    scores, unsafe = scored(3, ties=True)
    found = point(roc(scores, unsafe), balanced, Clusters(range(300), 100, 0))
    tried = {at: ((scores >= at)[unsafe].mean() + (scores < at)[~unsafe].mean()) / 2 for at in np.unique(scores)}
    assert (found.tpr.value + 1 - found.fpr.value) / 2 == pytest.approx(max(tried.values()), abs=1e-12)
    assert tried[found.threshold.value] == pytest.approx(max(tried.values()), abs=1e-12)


def test_held_out_takes_off_what_the_choice_adds() -> None:
    """Of scores that tell nothing the best threshold looks better than a coin, and is none."""
    chosen, kept = [], []
    for seed in range(20):
        scores, unsafe = scored(seed, 60, apart=0.0)
        clusters = Clusters(range(60), 200, 0)
        found = point(roc(scores, unsafe), balanced, clusters)
        chosen.append((found.tpr.value + 1 - found.fpr.value) / 2)
        held_out = balanced_held_out(roc(scores, unsafe), clusters)
        assert held_out is not None
        kept.append(held_out)
    assert np.mean(chosen) > 0.56 and np.mean(kept) == pytest.approx(0.5, abs=0.02)


def test_held_out_by_hand() -> None:
    scores, unsafe = scored(4, 40)
    clusters = Clusters((np.arange(40) // 2).tolist(), 50, 1)
    wanted = []
    for taken in clusters.weights:
        inside, outside = taken > 0, taken == 0
        rows = np.repeat(np.arange(40), taken.astype(int))
        fpr, tpr, thresholds = roc_curve(unsafe[rows], scores[rows], drop_intermediate=False)
        at = thresholds[np.argmax(np.round(tpr - fpr, 12))]
        flagged = scores >= at
        assert inside.any() and unsafe[outside].any() and not unsafe[outside].all()
        wanted.append((flagged[outside & unsafe].mean() + 1 - flagged[outside & ~unsafe].mean()) / 2)
    assert balanced_held_out(roc(scores, unsafe), clusters) == pytest.approx(np.mean(wanted), abs=1e-9)


def test_intervals_of_what_is_caught_hold_the_truth() -> None:
    """TPR at an FPR of 10 % of two normal classes, 100 prompts each in groups of two: 95 % intervals."""
    truth, held = norm.sf(norm.isf(0.1) - 1.5), 0
    for seed in range(150):
        random = np.random.default_rng([9, seed])
        unsafe = np.repeat(np.arange(100) < 50, 2)
        scores = 0.8 * np.repeat(random.standard_normal(100), 2) + 0.6 * random.standard_normal(200) + 1.5 * unsafe
        found = point(roc(scores, unsafe), at_most(0.1), Clusters((np.arange(200) // 2).tolist(), 300, seed))
        held += found.tpr.low <= truth <= found.tpr.high
    assert held >= 0.9 * 150
