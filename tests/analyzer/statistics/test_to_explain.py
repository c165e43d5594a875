"""The size of what is explained, and how many groups would tell it from chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import separation
from analyzer.statistics.to_explain import groups_needed, to_explain


def test_a_clear_separation() -> None:
    values = np.random.default_rng(0).normal(2, 1, 40)
    found = to_explain(values, Clusters(np.repeat(range(20), 2).tolist(), 999, 0), "contrast pairs")
    assert found.claimable and found.groups == 20 and found.size.value == pytest.approx(values.mean())


def test_the_separation_of_single_prompts_is_that_of_two_means() -> None:
    """Half of the difference, and its standard error, as Welch's test has them, but for n - 1 in each class."""
    random = np.random.default_rng(0)
    labels = np.repeat([1, 0], [30, 90])
    scores = random.normal(5 + labels, 1 + labels)
    found = separation(scores, labels == 1, Clusters(range(120), 999, 0), "prompts")
    wanted = ttest_ind(scores[labels == 1], scores[labels == 0], equal_var=False)
    assert found.unit == "prompts" and 2 * found.size.value == pytest.approx(wanted._estimate)
    low, high = (end / 2 for end in wanted.confidence_interval())
    assert (found.size.low, found.size.high) == pytest.approx((low, high), abs=0.1 * (high - low))
    assert found.p_value == pytest.approx(wanted.pvalue, rel=0.5)


def test_twins_leave_what_their_pair_shares() -> None:
    """A spread of 10 that both twins of a pair have does not blur a separation of 1."""
    random = np.random.default_rng(0)
    pair = np.repeat(np.arange(24), 2)
    labels = np.tile([1, 0], 24)
    scores = np.repeat(random.normal(0, 10, 24), 2) + labels + random.normal(0, 0.3, 48)
    found = separation(scores, labels == 1, Clusters(pair.tolist(), 999, 0))
    differences = scores[::2] - scores[1::2]
    assert found.claimable and found.unit == "groups of prompts"
    assert found.size.value == pytest.approx(differences.mean() / 2)
    assert found.p_value == pytest.approx(ttest_1samp(differences, 0).pvalue, rel=1e-6)


@pytest.mark.parametrize(("unsafe", "groups"), [(2, 2), (11, 11), (12, 100)])
def test_too_few_of_one_class_are_too_few(unsafe: int, groups: int) -> None:
    """However many there are of the other, and however small p is."""
    labels = np.arange(100) < unsafe
    found = separation(5.0 * labels + np.linspace(0, 1, 100), labels, Clusters(range(100), 999, 0), "prompts")
    assert found.p_value < 0.01 and found.groups == groups and found.claimable == (unsafe >= 12)
    assert found.unit == ("prompts" if found.claimable else "groups of the rarer class")


def test_no_separation_is_seldom_claimed() -> None:
    """20 judges that learned nothing, 24 pairs each."""
    random = np.random.default_rng(0)
    found = [to_explain(random.normal(0, 1, 24), Clusters(range(24), 999, 0), "contrast pairs") for _ in range(20)]
    assert not any(each.claimable for each in found)


def test_so_many_groups_do_tell() -> None:
    """The number named, tried: told at p < .002 in about four of five samples of that many."""
    needed = groups_needed(0.5, 1 / 24**0.5, 24)
    assert needed == 62
    random = np.random.default_rng(0)
    told = sum(ttest_1samp(random.normal(0.5, 1, needed), 0).pvalue < 0.002 for _ in range(400))
    assert 0.72 < told / 400 < 0.88


def test_no_number_where_none_is_in_reach() -> None:
    assert groups_needed(0.0, 1.0, 24) is None
    assert groups_needed(1e-6, 1.0, 24) is None
    assert groups_needed(1.0, float("nan"), 1) is None
