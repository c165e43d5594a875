"""Which of many neurons tell two classes apart: AUROC, Mann-Whitney's test, and the false-discovery rate.

AUROC is the probability that an unsafe prompt outranks a safe one, ties counting half; the two-sided p-value is
that of the normal approximation with tie and continuity correction. Benjamini and Hochberg's q-values (1995) are
over all tested neurons of the model. A p-value assumes independent prompts: the shuffled labels beside it, which
keep contrast pairs together, are the check.
"""

from __future__ import annotations

import math

import numpy as np


def rank_test(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and two-sided p-value of each column; `values` (n, units), `labels` (n,) in {0, 1}, both present.

    A constant column has AUROC 0.5 and p-value 1.
    """
    ranks, ties = average_ranks(values)
    return _tested(ranks, ties, labels)


def average_ranks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, units) average ranks from 1, and (units,) sum of t^3 - t over groups of t ties, in each column."""
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, 0)
    count = len(values)
    starts = np.ones(values.shape, dtype=bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    place = np.arange(count)[:, None]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=0)
    ends = np.ones(values.shape, dtype=bool)
    ends[:-1] = starts[1:]
    last = np.minimum.accumulate(np.where(ends, place, count)[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, 0)
    size = (last - first + 1).astype(float)
    return ranks, ((size**3 - size) * ends).sum(0)


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
