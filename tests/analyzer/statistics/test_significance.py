"""AUROC, Mann-Whitney's test and the false-discovery rate, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, mannwhitneyu, rankdata

from analyzer.statistics.significance import q_values, rank_test, shuffled_discoveries
from analyzer.statistics.ties import average_ranks

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize("ties", [False, True])
def test_as_scipy_has_it(ties: bool) -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(40, 30)) + np.linspace(-1, 1, 30)
    if ties:
        values = values.round()
    labels = random.permutation([0] * 23 + [1] * 17)
    values[labels == 1] += np.linspace(0, 2, 30)
    found, p = rank_test(average_ranks(values), labels)
    for column in range(30):
        theirs = mannwhitneyu(values[labels == 1, column], values[labels == 0, column], method="asymptotic")
        assert p[column] == pytest.approx(theirs.pvalue, rel=1e-9)
        assert found[column] == pytest.approx(theirs.statistic / (17 * 23))
    assert np.allclose(average_ranks(values), rankdata(values, axis=0))
    assert np.allclose(q_values(p), false_discovery_control(p))


def test_a_constant_neuron_says_nothing() -> None:
    values = np.ones((10, 1))
    found, p = rank_test(average_ranks(values), np.array([0, 1] * 5))
    assert found[0] == 0.5 and p[0] == 1


def test_labels_that_are_exactly_in_balance_have_a_p_value_of_one() -> None:
    """U is 2 of 4 pairs: the correction for continuity goes no further than that."""
    found, p = rank_test(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([1, 0, 0, 1]))
    assert (found[0], p[0]) == (0.5, 1.0)


def test_a_rate_that_is_just_reached_is_reached() -> None:
    random = np.random.default_rng(0)
    labels = np.array([0, 1] * 15)
    ranks = average_ranks(random.normal(size=(30, 20)) + np.outer(labels, np.linspace(0, 2, 20)))
    q = q_values(rank_test(ranks, labels)[1])
    rate = float(np.sort(q)[9])
    assert shuffled_discoveries(ranks, labels[None], rate) == [int((q <= rate).sum())]


def test_shuffles_find_what_is_there_and_nothing_else() -> None:
    random = np.random.default_rng(0)
    labels = np.array([0, 1] * 30)
    values = random.normal(size=(60, 200))
    values[:, 0] += 5 * labels
    ranks = average_ranks(values)
    assert shuffled_discoveries(ranks, labels[None], 0.05) == [1]
    wrong = np.array([random.permutation(labels) for _ in range(40)])
    assert sum(count > 0 for count in shuffled_discoveries(ranks, wrong, 0.05)) <= 6
