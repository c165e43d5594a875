"""Exact tests of verdicts on the same prompts, against scipy's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from analyzer.evolution.verdicts import BAR
from shared.findings.flips import at_least, flips_of


@pytest.mark.parametrize(("count", "of"), [(0, 0), (0, 5), (1, 1), (5, 5), (9, 12), (12, 12), (3, 64), (64, 64)])
def test_the_exact_tail_is_scipys(count: int, of: int) -> None:
    expected = binomtest(count, of, alternative="greater").pvalue if of else 1.0
    assert at_least(count, of) == pytest.approx(expected, rel=1e-12)


def test_twelve_one_way_flips_are_needed() -> None:
    assert at_least(12, 12) <= BAR < at_least(11, 11)
    assert at_least(17, 19) > BAR >= at_least(18, 20), "against two that got better: 18"


def test_random_verdicts_against_a_count_and_scipy() -> None:
    random = np.random.default_rng(0)
    before, now = random.random(64) < 0.7, random.random(64) < 0.4
    found = flips_of(before, now, np.arange(64))
    wrong, right = int((before & ~now).sum()), int((~before & now).sum())
    assert (found.of, found.flipped, found.wrong) == (64, wrong + right, wrong)
    assert (found.worse, found.better, found.turned, found.kept) == (
        wrong,
        right,
        wrong + right,
        64 - wrong - right,
    )
    assert found.wrong_before == 64 - before.sum() and found.wrong_now == 64 - now.sum()
    assert found.p_value == pytest.approx(binomtest(wrong, wrong + right).pvalue, rel=1e-9)


def test_a_group_counts_once() -> None:
    """Three templates: one got worse in 2 of 3 and better in none, one stayed even, one did not flip."""
    groups = np.array([0, 0, 0, 1, 1, 2])
    before = np.array([1, 1, 1, 1, 0, 1], dtype=bool)
    now = np.array([0, 0, 1, 0, 1, 1], dtype=bool)
    found = flips_of(before, now, groups)
    assert (found.flipped, found.wrong, found.worse, found.better) == (4, 3, 1, 0)
    assert (found.turned, found.kept) == (2, 1)
    assert found.p_value == 1.0, "of one group nothing is told"
    assert found.words == "4 of 6 verdicts flipped, 3 wrong now (McNemar p = 1.00)"
