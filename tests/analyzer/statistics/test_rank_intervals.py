"""Rank correlations with intervals, and the distance of two classes, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rank_intervals import spearman_interval, spearman_p_value
from analyzer.statistics.separation import class_signed, separation


def drawn(count: int = 60, slope: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    one = random.normal(size=count)
    return one, slope * one + random.normal(size=count)


def test_spearman_is_scipys_and_its_interval_holds_it() -> None:
    one, other = drawn()
    found = spearman_interval(one, other, Clusters(range(60), 2000, 0))
    wanted = stats.spearmanr(one, other)
    assert found is not None and found.value == pytest.approx(wanted.statistic)
    low, high = np.tanh(np.arctanh(wanted.statistic) + np.array([-1.96, 1.96]) * np.sqrt(1.06 / 57))
    assert found.low == pytest.approx(low, abs=0.06) and found.high == pytest.approx(high, abs=0.06)
    assert spearman_p_value(wanted.statistic, 60) == pytest.approx(wanted.pvalue, rel=0.7)


def test_a_group_of_copies_counts_once() -> None:
    one, other = (np.repeat(values, 4) for values in drawn(20))
    alone = spearman_interval(one, other, Clusters(range(80), 1000, 0))
    grouped = spearman_interval(one, other, Clusters(np.repeat(np.arange(20), 4).tolist(), 1000, 0))
    assert alone is not None and grouped is not None
    assert grouped.high - grouped.low > 1.7 * (alone.high - alone.low)


def test_inside_strata_what_these_explain_is_gone() -> None:
    """Both follow the class, and inside a class nothing follows anything."""
    random = np.random.default_rng(1)
    label = np.repeat([0, 1], 100)
    one, other = (5 * label + random.normal(size=200) for _ in range(2))
    clusters = Clusters(range(200), 500, 0)
    whole, inside = (spearman_interval(one, other, clusters, strata) for strata in (None, label))
    assert whole is not None and whole.low > 0.6
    assert inside is not None and inside.low < 0 < inside.high
    means = [stats.spearmanr(one[label == k], other[label == k]).statistic for k in (0, 1)]
    assert inside.value == pytest.approx(np.mean(means), abs=1e-9)


def test_nothing_to_correlate() -> None:
    clusters = Clusters(range(20), 100, 0)
    assert spearman_interval(np.ones(20), np.arange(20.0), clusters) is None
    assert spearman_interval(np.ones(20) + 1e-9 * np.arange(20), np.arange(20.0), clusters) is None, "rounding"
    assert spearman_interval(np.arange(5.0), np.arange(5.0), Clusters(range(5), 100, 0)) is None
    assert spearman_p_value(0.99, 3) == 1


def test_the_distance_of_the_classes_does_not_feel_a_lean_or_their_sizes() -> None:
    random = np.random.default_rng(2)
    unsafe = np.arange(90) < 30
    scores = 40 + 3 * unsafe + random.normal(size=90)
    wanted = (scores[unsafe].mean() - scores[~unsafe].mean()) / 2
    assert class_signed(scores, unsafe).mean() == pytest.approx(wanted)
    found = separation(scores, unsafe, Clusters(range(90), 2000, 0))
    assert found.claimable and found.size.value == pytest.approx(wanted)
    half = 1.96 * np.sqrt(scores[unsafe].var(ddof=1) / 30 + scores[~unsafe].var(ddof=1) / 60)
    assert found.size.high - found.size.low == pytest.approx(half, rel=0.4)


def test_one_class_has_no_distance() -> None:
    found = separation(np.arange(20.0), np.ones(20, dtype=bool), Clusters(range(20), 100, 0))
    assert not found.claimable and found.groups == 0


def test_students_interval_over_groups() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0])
    found = Clusters(range(4), 100, 0).student(values)
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    paired = Clusters([0, 0, 1, 1], 100, 0).student(values)
    low, high = stats.t.interval(0.95, 1, 3.0, stats.sem([1.5, 4.5]))
    assert (paired.low, paired.high) == pytest.approx((low, high))
