"""Which of many neurons tell two classes apart: AUROC, Mann-Whitney's test, and the false-discovery rate.

AUROC is the probability that an unsafe prompt outranks a safe one, ties counting half; the two-sided p-value is
that of the normal approximation with tie and continuity correction. Benjamini and Hochberg's q-values (1995) are
over all tested neurons of the model. A p-value assumes independent prompts: the shuffled labels beside it, which
keep contrast pairs together, are the check.
"""

from __future__ import annotations

import math

import numpy as np

from analyzer.statistics.ranks import average_ranks


def rank_test(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and two-sided p-value of each column; `values` (n, units), `labels` (n,) in {0, 1}, both present.

    A constant column has AUROC 0.5 and p-value 1.
    """
    ranks, ties = average_ranks(values)
    return _tested(ranks, ties, labels)


def _tested(ranks: np.ndarray, ties: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unsafe, safe = float((labels == 1).sum()), float((labels == 0).sum())
    count = unsafe + safe
    wins = ranks[labels == 1].sum(0) - unsafe * (unsafe + 1) / 2  # Mann-Whitney's U
    middle = unsafe * safe / 2
    spread = np.sqrt(unsafe * safe / 12 * ((count + 1) - ties / (count * (count - 1))).clip(min=0))
    distance = np.maximum(np.abs(wins - middle) - 0.5, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(spread > 0, distance / spread, 0.0)
    return wins / (unsafe * safe), two_sided(score)


_erfc = np.vectorize(math.erfc, otypes=[float])


def two_sided(score: np.ndarray) -> np.ndarray:
    """P(|Z| >= score) of a standard normal."""
    return _erfc(score / math.sqrt(2))


def q_values(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg: the smallest false-discovery rate at which each of these tests is significant."""
    count = len(p)
    order = np.argsort(p)
    scaled = p[order] * count / np.arange(1, count + 1)
    found = np.empty(count)
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return found


def shuffled_discoveries(values: np.ndarray, shuffled: np.ndarray, tested: np.ndarray, rate: float) -> list[int]:
    """Neurons significant at `rate` after each shuffle of the labels; `shuffled` (draws, n), `tested` (units,)."""
    ranks, ties = average_ranks(values[:, tested])
    return [int((q_values(_tested(ranks, ties, labels)[1]) <= rate).sum()) for labels in shuffled]
