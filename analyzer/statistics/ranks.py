"""How two rankings agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analyzer.statistics.ties import ROUNDING, average_ranks
from shared.findings.parts import Interval
from shared.findings.wilson import Z95


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Rank correlation; None for fewer than 3 pairs or where one side does not vary beyond rounding."""
    if len(one) < 3:
        return None
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (one, two)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def spearman_interval(one: Sequence[float], two: Sequence[float]) -> Interval | None:
    """Rank correlation with its 95 % interval; None where there is none, or for fewer than 5 pairs.

    Fisher's z with the standard error sqrt((1 + r^2 / 2) / (n - 3)) of Bonett and Wright 2000 (Psychometrika 65).
    """
    found = spearman(one, two)
    if found is None or len(one) < 5:
        return None
    inside = min(max(found, -1 + 1e-9), 1 - 1e-9)
    centre, half = math.atanh(inside), Z95 * math.sqrt((1 + inside**2 / 2) / (len(one) - 3))
    return Interval(
        value=found, low=min(found, math.tanh(centre - half)), high=max(found, math.tanh(centre + half))
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) ranks of float32 results."""
    return average_ranks(values[:, None], ROUNDING * float(np.abs(values).max()))[:, 0]
