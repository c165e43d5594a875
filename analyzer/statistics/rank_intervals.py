"""Spearman's rank correlation with its interval over groups of prompts, and how sure it is that there is one."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from analyzer.statistics.intervals import Clusters, percentile_interval
from analyzer.statistics.ties import ROUNDING, average_ranks
from shared.findings.parts import Interval

FEWEST = 8
"""Values below which there is no correlation to speak of."""


def spearman_interval(
    one: np.ndarray, other: np.ndarray, clusters: Clusters, strata: np.ndarray | None = None
) -> Interval | None:
    """Spearman of two (n,) arrays with its bootstrap interval (over the ranks of all values).

    With `strata` (n,) both are ranked inside each stratum, and what is pooled are ranks from its middle: the
    correlation that is left once the stratum is given. None for too few values, or where a side does not vary.
    """
    if len(one) < FEWEST:
        return None
    strata = np.zeros(len(one), dtype=int) if strata is None else strata
    ranks = [_ranks(values, strata) for values in (one, other)]
    whole = _correlation(ranks[0], ranks[1], np.ones((1, len(one))))
    if not np.isfinite(whole[0]):
        return None
    return percentile_interval(float(whole[0]), _correlation(ranks[0], ranks[1], clusters.weights))


def spearman_p_value(value: float, groups: int) -> float:
    """Two-sided p that there is no rank correlation, from Fisher's z with `groups` independent groups."""
    if groups < 4:
        return 1.0
    z = math.atanh(min(abs(value), 1 - 1e-12)) * math.sqrt((groups - 3) / 1.06)
    return float(2 * ndtr(-z))


def _ranks(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """(n,) average ranks inside each stratum, from its middle, as shares of its size; ties up to rounding."""
    found = np.zeros(len(values))
    for stratum in np.unique(strata):
        inside = strata == stratum
        part = values[inside].astype(float)
        ranks = average_ranks(part[:, None], ROUNDING * float(np.abs(part).max()))[:, 0]
        found[inside] = (ranks - ranks.mean()) / len(part)
    return found


def _correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,) Pearson of (n,) arrays under (draws, n) weights; NaN where a side does not vary."""
    total = weights.sum(1)
    means = [(weights @ values) / total for values in (one, other)]
    products = [weights @ (a * b) / total for a, b in ((one, one), (other, other), (one, other))]
    spreads = (products[0] - means[0] ** 2) * (products[1] - means[1] ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            spreads > 1e-18, (products[2] - means[0] * means[1]) / np.sqrt(np.maximum(spreads, 0)), np.nan
        )
