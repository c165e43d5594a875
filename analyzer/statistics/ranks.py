"""Ranks, and how two rankings agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Rank correlation; None for fewer than 3 pairs or where one side does not vary."""
    if len(one) < 3:
        return None
    ranks = [average_ranks(np.asarray(values, dtype=float)[:, None])[0][:, 0] for values in (one, two)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
