"""The exact test of a reversed ranking, against scipy and counting."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analyzer.statistics.reversed_ranking import DRAWS, reversed_p


def test_equals_mann_and_whitneys_exact_test() -> None:
    random = np.random.default_rng(3)
    for shift in (0.0, 0.4, 0.8):
        unsafe = np.arange(24) < 11
        scores = random.standard_normal(24) - shift * unsafe
        wanted = mannwhitneyu(scores[unsafe], scores[~unsafe], alternative="less", method="exact").pvalue
        assert reversed_p(scores, unsafe, np.arange(24)) == pytest.approx(wanted, abs=0.02)


def test_all_reversed_is_as_rare_as_counted() -> None:
    unsafe = np.arange(8) < 4
    assert reversed_p(-unsafe.astype(float), unsafe, np.arange(8)) == pytest.approx(1 / comb(8, 4), abs=0.006)
    pairs = np.arange(12) // 2
    twins = np.arange(12) % 2 == 1  # six pairs, each the wrong way round
    scores = 10.0 * pairs - twins
    assert reversed_p(scores, twins, pairs) == pytest.approx(1 / 2**6, abs=0.008)


def test_many_groups_are_taken_as_normal() -> None:
    random = np.random.default_rng(5)
    unsafe = np.arange(600) < 300
    for shift in (0.1, 0.2):
        scores = random.standard_normal(600) - shift * unsafe
        wanted = mannwhitneyu(scores[unsafe], scores[~unsafe], alternative="less").pvalue
        assert reversed_p(scores, unsafe, np.arange(600)) == pytest.approx(wanted, abs=0.03)
    assert reversed_p(-10.0 * unsafe, unsafe, np.arange(600)) < 1e-6


def test_one_class_is_never_reversed_and_draws_bound_the_p() -> None:
    assert reversed_p(np.arange(4.0), np.ones(4, dtype=bool), np.arange(4)) == 1
    unsafe = np.arange(60) < 30
    assert reversed_p(-10.0 * unsafe, unsafe, np.arange(60)) == pytest.approx(1 / (DRAWS + 1))
