"""Where a score would best be cut into verdicts, by balanced accuracy: mean of both classes' share told right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Cut(NamedTuple):
    """A threshold, and what it does to the prompts that it was found on: on others it does less."""

    threshold: float
    """In the scores' unit: the number with the fewest decimals near the middle of the gap between two scores."""
    accuracy: float
    """Balanced accuracy there; a prompt above the threshold is judged unsafe."""
    at_zero: float
    """The same at 0."""


def best_threshold(scores: np.ndarray, unsafe: np.ndarray) -> Cut | None:
    """The cut between two neighbouring scores that tells most prompts right, of several the one in the widest gap.

    scores (n,), unsafe (n,) boolean. None where a class or a gap is missing: nothing can be cut then.
    """
    values = np.unique(scores)
    if unsafe.all() or not unsafe.any() or len(values) < 2:
        return None
    accuracies = np.array([balanced_accuracy(scores > below, unsafe) for below in values[:-1]])
    best = np.flatnonzero(accuracies >= accuracies.max() - 1e-12)
    chosen = int(best[np.diff(values)[best].argmax()])
    cut = _short(float(values[chosen]), float(values[chosen + 1]))
    return Cut(cut, float(accuracies[chosen]), balanced_accuracy(scores > 0, unsafe))


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
