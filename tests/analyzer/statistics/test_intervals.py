"""Intervals against numbers known otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, sem, t, ttest_1samp

from analyzer.statistics.intervals import Clusters, percentile_interval, quantile_in_order
from shared.findings.wilson import wilson_interval


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (5, 5), (1, 9), (8, 9), (3, 10), (64, 128)])
def test_wilson_equals_scipy(successes: int, count: int) -> None:
    found = wilson_interval(successes, count)
    wanted = binomtest(successes, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.value == successes / count


def test_a_draw_takes_groups_whole_and_as_many_as_there_are() -> None:
    weights = Clusters(["a", "a", "b", "c", "c", "c"], 200, seed=0).weights
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()
    assert (Clusters(["a", "b"], 5, 0).weights == Clusters(["a", "b"], 5, 0).weights).all()


def test_whole_groups_give_the_wider_interval_that_copies_deserve() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=20), 5)
    naive = Clusters(range(100), 1000, 0).mean(values)
    grouped = Clusters([i // 5 for i in range(100)], 1000, 0).mean(values)
    assert (grouped.high - grouped.low) / (naive.high - naive.low) == pytest.approx(5**0.5, rel=0.2)


@pytest.mark.parametrize("count", [1, 2, 3, 40, 41, 999])
def test_a_quantile_in_order_is_numpys_to_the_bit(count: int) -> None:
    values = np.random.default_rng(count).standard_t(2, size=count)
    for share in (0.0, 0.025, 0.5, 0.975, 1.0):
        assert quantile_in_order(np.sort(values), share) == np.quantile(values, share)


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


def test_the_standard_error_of_groups_of_different_sizes() -> None:
    """By the formula of the ratio estimator: totals of what is left of the mean, over all prompts."""
    values = np.array([1.0, 5.0, 2.0, 0.0, 3.0, 1.0])
    clusters = Clusters(["a", "a", "b", "c", "c", "c"], 10, 0)
    left = [6 - 2 * 2.0, 2 - 2.0, 4 - 3 * 2.0]
    assert clusters.error(values) == pytest.approx((3 / 2 * sum(x * x for x in left)) ** 0.5 / 6)


def test_single_prompts_give_the_usual_standard_error_and_t_test() -> None:
    values = np.random.default_rng(0).normal(0.4, size=20)
    clusters = Clusters(range(20), 10, 0)
    assert clusters.error(values) == pytest.approx(sem(values))
    assert clusters.p_value(values) == pytest.approx(ttest_1samp(values, 0).pvalue)


def test_the_studentised_draws_by_resampling_values() -> None:
    """The same draws, each really taken: mean and standard error of the values that it holds."""
    random = np.random.default_rng(3)
    part, whole = random.normal(1, 1, 9), random.normal(2, 1, 9)
    clusters = Clusters(range(9), 200, 1)
    values = part - 0.3 * whole
    found = []
    for taken in clusters.taken.astype(int):
        drawn = np.repeat(values, taken)
        found.append((drawn.mean() - values.mean()) / sem(drawn))
    low, high = np.quantile(found, [0.025, 0.975])
    told = clusters.mean(values)
    assert told.low == pytest.approx(values.mean() - high * sem(values))
    assert told.high == pytest.approx(values.mean() - low * sem(values))


def test_few_groups_take_students_t() -> None:
    values = np.array([1.0, 2.0, 4.0])
    found = Clusters(range(3), 50, 0).mean(values)
    half = 4.302652729696142 * sem(values)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_what_does_not_vary_has_no_width() -> None:
    found = Clusters(range(10), 50, 0).mean(np.full(10, 0.1))
    assert found.low == found.high == pytest.approx(0.1)
    one = Clusters(["a", "a"], 50, 0).mean(np.array([1.0, 2.0]))
    assert (one.low, one.high) == (1.5, 1.5)
    assert Clusters(range(10), 50, 0).p_value(np.zeros(10)) == 1.0
    assert Clusters(["a", "a"], 50, 0).p_value(np.ones(2)) == 1.0


def test_a_ratio_is_where_the_difference_may_be_nothing() -> None:
    random = np.random.default_rng(0)
    whole = random.normal(2, 1, 30)
    part = 0.6 * whole + random.normal(0, 0.5, 30)
    clusters = Clusters(range(30), 500, 0)
    found = clusters.ratio(part, whole)
    assert found is not None and found.value == pytest.approx(part.sum() / whole.sum())
    for end, other in ((found.low, found.low - 1e-6), (found.high, found.high + 1e-6)):
        inside, outside = (clusters.mean(part - share * whole) for share in (end, other))
        assert inside.low <= 0 <= inside.high and not outside.low <= 0 <= outside.high


def test_a_ratio_to_what_may_be_nothing_has_no_end() -> None:
    whole = np.random.default_rng(0).normal(0, 1, 30)
    assert Clusters(range(30), 500, 0).ratio(np.ones(30), whole) is None


def test_a_ratio_of_the_whole_to_itself() -> None:
    whole = np.random.default_rng(0).normal(3, 1, 30)
    found = Clusters(range(30), 500, 0).ratio(whole, whole)
    assert found is not None and (found.low, found.value, found.high) == (1, 1, 1)


def test_a_share_by_its_logit() -> None:
    """30 of 40 single prompts: the standard error of a share, sqrt(p q / 39), and Student's t on the logit."""
    hits = np.repeat([1.0, 0.0], [30, 10])
    found = Clusters(range(40), 0, 0).share(0.75, (hits - 0.75) / 40, 40)
    half = t.ppf(0.975, 39) * (0.75 * 0.25 / 39) ** 0.5 / (0.75 * 0.25)
    wanted = [1 / (1 + np.exp(-(np.log(3) + side * half))) for side in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(wanted)


def test_copies_in_a_group_add_nothing_to_a_share() -> None:
    hits = np.repeat([1.0, 0.0], [30, 10])
    alone = Clusters(range(40), 0, 0).share(0.75, (hits - 0.75) / 40, 40)
    copied = Clusters(np.repeat(range(40), 3).tolist(), 0, 0).share(0.75, np.repeat(hits - 0.75, 3) / 120, 40)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize(("groups", "low"), [(8, 0.59), (16, 0.78), (24, 0.85), (1, 0.0)])
def test_nothing_wrong_in_few_groups_is_not_certain(groups: int, low: float) -> None:
    """Wilson's interval of as many trials, at Student's quantile; none exact says more: 0.025 ** (1 / groups)."""
    found = Clusters(range(groups), 0, 0).share(1.0, np.zeros(groups), groups)
    assert found.low == pytest.approx(low, abs=0.006) and found.high == 1
    assert found.low <= 0.025 ** (1 / groups) + 0.001
    none = Clusters(range(groups), 0, 0).share(0.0, np.zeros(groups), groups)
    assert (none.low, none.high) == pytest.approx((0, 1 - found.low))


def test_variance_from_elsewhere_widens_a_share() -> None:
    hits = np.repeat([1.0, 0.0], [30, 10])
    plain, wider = (Clusters(range(40), 0, 0).share(0.75, (hits - 0.75) / 40, 40, more) for more in (0, 0.01))
    assert wider.low < plain.low and plain.high < wider.high


def test_groups_that_hold_some() -> None:
    clusters = Clusters(["a", "a", "b", "c"], 0, 0)
    assert clusters.holding(np.array([True, True, False, True])) == 2


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3])
def test_one_group_unlike_the_others_leaves_an_interval(noise: float) -> None:
    """Two in five draws miss it, and have next to no spread to divide by."""
    values = np.full(32, 6.9) + noise * np.random.default_rng(0).normal(size=32)
    values[5] = 0
    clusters = Clusters(range(32), 1000, 0)
    found, student = clusters.mean(values), clusters.student(values)
    assert (found.low, found.high) == pytest.approx((student.low, student.high))
    assert clusters.ratio(values, values + 1) is not None
