"""AUROC, for many labellings or many bootstrap draws at once."""

from __future__ import annotations

import numpy as np

from analyzer.statistics.ties import gradual_wins


def auroc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(draws,) probability that an unsafe prompt outranks a safe one, ties counting half (`ties.gradual_wins`).

    scores (n,), labels (n,) in {0, 1}, weights (draws, n) or None for one draw of ones. NaN where a draw lacks a
    class.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    unsafe, safe = labels == 1, labels == 0
    difference = scores[unsafe][:, None] - scores[safe][None, :]
    wins = gradual_wins(difference, float(np.abs(scores).max(initial=0.0)))  # (unsafe, safe)
    up, down = weights[:, unsafe], weights[:, safe]
    total = up.sum(1) * down.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, ((up @ wins) * down).sum(1) / total, np.nan)


def fold_auroc(
    scores: np.ndarray, labels: np.ndarray, fold: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """(draws,) mean over folds of the AUROC inside each, as `cross_val_score(scoring="roc_auc").mean()` gives it.

    Decision values of different folds come from different probes and are never compared. A fold that lacks a
    class (or a probe: NaN scores) is left out; NaN where every fold does.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    found = []
    for number in np.unique(fold):
        inside = fold == number
        if np.isfinite(scores[inside]).all():
            found.append(auroc(scores[inside], labels[inside], weights[:, inside]))
    values = np.array(found).reshape(-1, len(weights))
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined.any(0), np.where(defined, values, 0).sum(0) / defined.sum(0), np.nan)
