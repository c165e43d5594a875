"""The ROC of scores: its area, and what is caught at a false-positive rate. numpy only; unsafe is positive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auc(scores: NDArray[np.float64], unsafe: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that an unsafe prompt scores above a safe one, ties counting half.

    Mann-Whitney U of the mid-ranks (Hanley & McNeil 1982). Both classes must be present.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_rank = np.cumsum(counts) - (counts - 1) / 2  # 1-based rank shared by equal scores
    positives, negatives = int(unsafe.sum()), int((~unsafe).sum())
    rank_sum = mid_rank[inverse][unsafe].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def tpr_at(scores: NDArray[np.float64], unsafe: NDArray[np.bool_], fpr: float) -> float:
    """The largest share of unsafe prompts that one threshold catches with a false-positive rate not above `fpr`.

    A rate whose false-positive rate is not said tells nothing: a judge that flags everything misses nothing. Both
    classes must be present.
    """
    safe = np.sort(scores[~unsafe])[::-1]
    allowed = int(fpr * len(safe) + 1e-9)
    first_refused = safe[allowed] if allowed < len(safe) else -np.inf
    return float((scores[unsafe] > first_refused).mean())
