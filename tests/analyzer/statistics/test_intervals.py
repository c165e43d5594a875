"""Intervals, distances and cosines against numbers known otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from analyzer.statistics.class_geometry import cosine, dprime, pair_cosine, recentred
from analyzer.statistics.intervals import bootstrap_weights, mean_interval, percentile_interval, wilson_interval


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (5, 5), (1, 9), (8, 9), (3, 10), (64, 128)])
def test_wilson_equals_scipy(successes: int, count: int) -> None:
    found = wilson_interval(successes, count)
    wanted = binomtest(successes, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.value == successes / count


def test_a_draw_takes_groups_whole_and_as_many_as_there_are() -> None:
    weights = bootstrap_weights(["a", "a", "b", "c", "c", "c"], 200, seed=0)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()
    assert (bootstrap_weights(["a", "b"], 5, 0) == bootstrap_weights(["a", "b"], 5, 0)).all()


def test_the_interval_of_a_mean_covers_as_it_says() -> None:
    random = np.random.default_rng(0)
    weights = bootstrap_weights(list(range(60)), 400, seed=1)
    hits = 0
    for _ in range(300):
        found = mean_interval(random.normal(size=60), weights)
        hits += found.low <= 0 <= found.high
    assert 0.90 < hits / 300 < 0.98


def test_whole_groups_give_the_wider_interval_that_copies_deserve() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=20), 5)
    naive = mean_interval(values, bootstrap_weights(list(range(100)), 1000, 0))
    grouped = mean_interval(values, bootstrap_weights([i // 5 for i in range(100)], 1000, 0))
    assert (grouped.high - grouped.low) / (naive.high - naive.low) == pytest.approx(5**0.5, rel=0.2)


def test_undefined_draws_are_left_out() -> None:
    found = percentile_interval(0.5, np.array([np.nan, 0.4, 0.6]))
    assert 0.4 <= found.low <= 0.5 <= found.high <= 0.6
    assert percentile_interval(0.5, np.array([np.nan])).low == 0.5


def test_an_interval_holds_its_value() -> None:
    """Also where no draw comes near it."""
    found = percentile_interval(1.0, np.array([2.0, 4.0]))
    assert (found.low, found.value) == (1.0, 1.0)
    assert found.high == pytest.approx(2 + 0.975 * 2)
    found = percentile_interval(5.0, np.array([2.0, 4.0]))
    assert found.low == pytest.approx(2 + 0.025 * 2)
    assert (found.value, found.high) == (5.0, 5.0)


def test_a_draw_is_divided_by_what_it_took() -> None:
    """Groups of different sizes make draws of different sizes: (3 x 1 + 5) / 4 = 2; an empty one says nothing."""
    found = mean_interval(np.array([1.0, 5.0]), np.array([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0]]))
    assert (found.low, found.value, found.high) == (2.0, 3.0, 3.0)


def classes(count: int, width: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    vectors = np.random.default_rng(seed).normal(size=(2 * count, width))
    vectors[:count, 0] += shift
    return vectors, np.repeat([1.0, 0.0], count)


def test_dprime_by_its_definition() -> None:
    vectors, labels = classes(30, 7, 2.0, 0)
    up, down = vectors[labels == 1], vectors[labels == 0]
    pooled = (29 * np.cov(up.T) + 29 * np.cov(down.T)) / 58
    wanted = np.linalg.norm(up.mean(0) - down.mean(0)) / np.sqrt(np.trace(pooled))
    assert dprime(vectors + 100, labels[None], 1 - labels[None])[0] == pytest.approx(wanted, rel=1e-9)


def test_dprime_of_weights_is_that_of_repeated_prompts() -> None:
    vectors, labels = classes(10, 3, 1.0, 1)
    weights = np.random.default_rng(0).integers(0, 3, (1, 20)).astype(float)
    taken = np.repeat(np.arange(20), weights[0].astype(int))
    wanted = dprime(vectors[taken], labels[taken][None], 1 - labels[taken][None])
    np.testing.assert_allclose(dprime(vectors, weights * labels, weights * (1 - labels)), wanted)


def test_dprime_without_spread() -> None:
    same = np.ones((4, 3))
    labels = np.array([[1.0, 1.0, 0.0, 0.0]])
    assert dprime(same, labels, 1 - labels)[0] == 0
    apart = same + labels.T
    assert np.isnan(dprime(apart, labels, 1 - labels)[0])


def test_one_prompt_of_each_class_has_no_spread() -> None:
    """Whatever rounding leaves of it."""
    labels = np.array([[1.0, 0.0]])
    for seed in range(50):
        vectors = np.random.default_rng(seed).normal(size=(2, 7))
        assert np.isnan(dprime(vectors, labels, 1 - labels)[0])


def test_recentred_by_hand() -> None:
    """Squares 1 and 4, mean 2.5, move by 2 - 2.5; undefined draws are left out."""
    assert recentred(2**0.5, np.array([1.0, np.nan, 2.0])).tolist() == pytest.approx([0.5**0.5, 3.5**0.5])
    assert recentred(1.0, np.array([1.0, 2.0])).tolist() == pytest.approx([0.0, 2.5**0.5]), "none below 0"
    assert len(recentred(1.0, np.array([np.nan]))) == 0


def test_recentred_draws_lie_around_the_value() -> None:
    vectors, labels = classes(40, 50, 0.5, 2)
    value = dprime(vectors, labels[None], 1 - labels[None])[0]
    weights = bootstrap_weights(list(range(80)), 1000, 0)
    draws = dprime(vectors, weights * labels, weights * (1 - labels))
    assert np.mean(draws > value) > 0.95  # what recentring is for
    assert 0.35 < np.mean(recentred(value, draws) > value) < 0.65


def test_cosines() -> None:
    assert cosine(np.array([1.0, 0]), np.array([1.0, 1])) == pytest.approx(0.5**0.5)
    assert cosine(np.zeros(2), np.ones(2)) is None
    assert pair_cosine(np.tile([1.0, 2.0], (5, 1))) == pytest.approx(1)
    assert abs(pair_cosine(np.random.default_rng(0).normal(size=(200, 300))) or 0) < 0.02
    assert pair_cosine(np.ones((1, 3))) is None and pair_cosine(np.zeros((3, 3))) is None
