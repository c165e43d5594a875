"""Which of many neurons tell two classes apart: AUROC, Mann-Whitney's test, and the false-discovery rate.

AUROC is the probability that an unsafe prompt outranks a safe one, ties counting half; the two-sided p-value is
that of the normal approximation with tie and continuity correction. Benjamini and Hochberg's q-values (1995) are
over all tested neurons of the model. A p-value assumes independent prompts: the shuffled labels beside it, which
keep contrast pairs together, are the check.

Ranks do not depend on the labels, so that all labellings of one matrix are one matrix product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch


class Ranked(NamedTuple):
    """Average ranks of many units' values."""

    ranks: np.ndarray
    """(units, n) from 1; ties share their mean."""
    ties: np.ndarray
    """(units,) sum of t^3 - t over groups of t ties."""

    @property
    def constant(self) -> np.ndarray:
        """(units,) bool: all values tie, so that there is nothing to test."""
        count = self.ranks.shape[1]
        return self.ties == count**3 - count


def ranked(values: np.ndarray, tolerance: float = 0.0) -> Ranked:
    """Rank each column of (n, units).

    A column that varies by no more than `tolerance` x its largest |value| is constant: rounding would rank it by
    the batch that a prompt was in.
    """
    rows = np.ascontiguousarray(values.T)  # sorting is several times faster along contiguous memory
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, 1)
    flat = ordered[:, -1] - ordered[:, 0] <= tolerance * np.maximum(np.abs(ordered[:, 0]), np.abs(ordered[:, -1]))
    ordered[flat] = 0
    count = rows.shape[1]
    placed = np.broadcast_to(np.arange(1.0, count + 1), rows.shape).copy()
    ties = np.zeros(len(rows))
    tied = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(1))
    placed[tied], ties[tied] = _shared(ordered[tied])
    ranks = np.empty(rows.shape)
    np.put_along_axis(ranks, order, placed, 1)
    return Ranked(ranks, ties)


def _shared(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of sorted rows (units, n) with ties, and the sum of t^3 - t of each row."""
    count = ordered.shape[1]
    place = np.arange(count)
    starts = np.ones(ordered.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, count)[:, ::-1], axis=1)[:, ::-1]
    size = (last - first + 1).astype(float)
    return (first + last) / 2 + 1, ((size**3 - size) * ends).sum(1)


def rank_tests(ranked: Ranked, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(draws, units) AUROC and two-sided p-value of each unit; `labels` (draws, n) in {0, 1}, both present.

    Every draw must hold as many unsafe prompts as the others. A constant unit has AUROC 0.5 and p-value 1.
    """
    unsafe = float(labels[0].sum())
    count = float(labels.shape[1])
    safe = count - unsafe
    wins = labels @ ranked.ranks.T - unsafe * (unsafe + 1) / 2  # Mann-Whitney's U
    spread = np.sqrt(unsafe * safe / 12 * ((count + 1) - ranked.ties / (count * (count - 1))).clip(min=0))
    distance = np.maximum(np.abs(wins - unsafe * safe / 2) - 0.5, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(spread > 0, distance / spread, 0.0)
    p = torch.special.erfc(torch.from_numpy(score / math.sqrt(2))).numpy()
    return wins / (unsafe * safe), p


def q_values(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg: the smallest false-discovery rate at which each of these tests (n,) is significant."""
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return found


def discoveries(p: np.ndarray, rate: float) -> list[int]:
    """How many of the tests (draws, units) are significant at a false-discovery rate, draw by draw."""
    passed = np.sort(p, axis=1) <= rate * np.arange(1, p.shape[1] + 1) / max(p.shape[1], 1)
    return [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 0 for row in passed]


def most_by_chance(draws: int, rate: float, level: float = 1e-3) -> int:
    """Of `draws` shuffles that each find something with probability `rate`, how many may before it is no chance.

    The smallest count that is exceeded with a probability below `level`.
    """
    mass, total = 1.0, 0.0
    for count in range(draws + 1):
        total += math.comb(draws, count) * rate**count * (1 - rate) ** (draws - count)
        mass = 1 - total
        if mass < level:
            return count
    return draws
