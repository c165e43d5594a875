"""AUROC, alone or as the mean over folds, with what each prompt does to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.statistics.ties import gradual_wins

AT_ONCE = 4_000_000
"""Pairs of one unsafe and one safe prompt that are compared at once."""


class Influenced(NamedTuple):
    """A statistic, and its first-order change by each prompt's weight."""

    value: float
    """NaN where it is not defined."""
    influence: np.ndarray
    """(n,) sums to 0; the sum of its squares over independent prompts is the statistic's variance."""


def auroc(scores: np.ndarray, labels: np.ndarray) -> Influenced:
    """Probability that an unsafe prompt outranks a safe one, ties counting half (`ties.gradual_wins`).

    scores (n,), labels (n,) in {0, 1}. A prompt's influence is its placement value, the share of the other class
    that it is on the right side of, less the AUROC, by the size of its class (DeLong et al. 1988). Not defined
    where a class is missing.
    """
    unsafe = labels == 1
    influence = np.zeros(len(scores))
    if unsafe.all() or not unsafe.any():
        return Influenced(np.nan, influence)
    of_unsafe, of_safe, value = _placements(scores[unsafe], scores[~unsafe], float(np.abs(scores).max(initial=0.0)))
    influence[unsafe] = (of_unsafe - value) / len(of_unsafe)
    influence[~unsafe] = (of_safe - value) / len(of_safe)
    return Influenced(value, influence)


def _placements(above: np.ndarray, below: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, float]:
    """(unsafe,) and (safe,) placement values, and the AUROC; very many prompts are compared block by block."""
    rows = max(1, AT_ONCE // len(below))
    if len(above) <= rows:
        wins = gradual_wins(above[:, None] - below[None, :], scale)  # (unsafe, safe)
        return wins.mean(1), wins.mean(0), float(wins.mean())
    of_above, of_below = np.empty(len(above)), np.zeros(len(below))
    for start in range(0, len(above), rows):
        wins = gradual_wins(above[start : start + rows, None] - below[None, :], scale)
        of_above[start : start + rows] = wins.mean(1)
        of_below += wins.sum(0)
    return of_above, of_below / len(above), float(of_above.mean())


def fold_auroc(scores: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> Influenced:
    """Mean over folds of the AUROC inside each, as `cross_val_score(scoring="roc_auc").mean()` gives it.

    Decision values of different folds come from different probes and are never compared. A fold that lacks a
    class (or a probe: NaN scores) is left out; not defined where every fold does.
    """
    influence, values = np.zeros(len(scores)), []
    for number in np.unique(fold):
        inside = np.flatnonzero(fold == number)
        if np.isfinite(scores[inside]).all():
            found = auroc(scores[inside], labels[inside])
            if np.isfinite(found.value):
                values.append(found.value)
                influence[inside] = found.influence
    if not values:
        return Influenced(np.nan, influence)
    return Influenced(float(np.mean(values)), influence / len(values))
