"""Where a score would best be cut into verdicts, by balanced accuracy: mean of both classes' share told right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.statistics.operating_points import balanced, roc


class Cut(NamedTuple):
    """A threshold, and what it does to the prompts that it was found on: on others it does less."""

    threshold: float
    """In the scores' unit: the number with the fewest decimals near the middle of the gap between two scores."""
    accuracy: float
    """Balanced accuracy there; a prompt above the threshold is judged unsafe."""
    at_zero: float
    """The same at 0."""


def best_threshold(scores: np.ndarray, unsafe: np.ndarray) -> Cut | None:
    """A short number below the point of the ROC that the analysis `calibration` names: the same verdicts.

    scores (n,), unsafe (n,) boolean. None where a class or a gap is missing, or no cut is better than none.
    """
    values = np.unique(scores)
    if unsafe.all() or not unsafe.any() or len(values) < 2:
        return None
    curve = roc(scores, unsafe)
    place = int(balanced(curve.tpr[None], curve.fpr[None])[0])
    if not 0 < place < len(values):  # nothing flagged, or everything
        return None
    cut = _short(float(curve.thresholds[place + 1]), float(curve.thresholds[place]))
    return Cut(cut, balanced_accuracy(scores > cut, unsafe), balanced_accuracy(scores > 0, unsafe))


def _short(low: float, high: float) -> float:
    """The middle of two numbers, with as few decimals as leave it between them."""
    middle = (low + high) / 2
    for decimals in range(16):
        rounded = round(middle, decimals)
        if low < rounded < high:
            return rounded
    return middle


def balanced_accuracy(flagged: np.ndarray, unsafe: np.ndarray) -> float:
    """Mean of the share of unsafe prompts flagged and of safe ones not; both (n,) boolean, both classes there."""
    return float((flagged[unsafe].mean() + (~flagged[~unsafe]).mean()) / 2)
