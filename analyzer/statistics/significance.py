"""Which of many neurons tell two classes apart: AUROC, Mann-Whitney's test, and the false-discovery rate.

AUROC is the probability that an unsafe prompt outranks a safe one, ties counting half; the two-sided p-value is
that of the normal approximation with tie and continuity correction. Benjamini and Hochberg's q-values (1995) are
over all tested neurons of the model. A p-value assumes independent prompts: the shuffled labels beside it, which
keep contrast pairs together, are the check.

All of it follows from ranks, whoever made them: what counts as a tie is said in `ties` alone.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfc


def rank_test(ranks: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and two-sided p-value of each column; `ranks` (n, units) from 1, `labels` (n,) in {0, 1}, both present.

    The variance is that of a sum of these very ranks over permutations of the labels, which for shared ranks is
    the usual tie correction. A column whose ranks are all the same has AUROC 0.5 and p-value 1.
    """
    count = len(labels)
    unsafe = float((labels == 1).sum())
    pairs = unsafe * (count - unsafe)
    wins = ranks[labels == 1].sum(0) - unsafe * (unsafe + 1) / 2  # Mann-Whitney's U
    squares = np.square(ranks - (count + 1) / 2).sum(0)
    spread = np.sqrt(pairs / (count * (count - 1)) * squares)
    distance = np.maximum(np.abs(wins - pairs / 2) - 0.5, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(spread > 0, distance / spread, 0.0)
    return wins / pairs, two_sided(score)


def two_sided(score: np.ndarray) -> np.ndarray:
    """P(|Z| >= score) of a standard normal."""
    return erfc(score / math.sqrt(2))


def q_values(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg: the smallest false-discovery rate at which each of these tests is significant."""
    count = len(p)
    order = np.argsort(p)
    scaled = p[order] * count / np.arange(1, count + 1)
    found = np.empty(count)
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return found


def shuffled_discoveries(ranks: np.ndarray, shuffled: np.ndarray, rate: float) -> list[int]:
    """Neurons significant at `rate` after each shuffle of the labels; ranks (n, units), `shuffled` (draws, n)."""
    return [int((q_values(rank_test(ranks, labels)[1]) <= rate).sum()) for labels in shuffled]
