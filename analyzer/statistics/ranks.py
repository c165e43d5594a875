"""How two rankings agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.statistics.ties import ROUNDING, average_ranks


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Rank correlation; None for fewer than 3 pairs or where one side does not vary beyond rounding."""
    if len(one) < 3:
        return None
    ranks = [_ranks(np.asarray(values, dtype=float)) for values in (one, two)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) ranks of float32 results."""
    return average_ranks(values[:, None], ROUNDING * float(np.abs(values).max()))[:, 0]
