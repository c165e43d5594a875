"""How far stated probabilities are from what happens: the expected calibration error (ECE), equal-mass bins.

ECE = sum over bins of (share of prompts) x |share unsafe - mean probability| (Naeini et al. 2015; equal-mass bins:
Nguyen and O'Connor 2015, as scikit-learn's `calibration_curve(strategy="quantile")` cuts them). It is never 0 on a
sample: labels drawn from the judge's own probabilities say what a perfectly calibrated judge would get with these
probabilities at this n. The plain bootstrap adds that much once more, so the interval is the basic one
(2 ECE - quantile), which takes it off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.statistics.intervals import Clusters
from shared.findings.parts import Interval

AT_ONCE = 2_000_000
"""Numbers of one block of draws."""


class ByChance(NamedTuple):
    """The ECE of a perfectly calibrated judge with the same probabilities."""

    mean: float
    high: float
    """95th percentile."""
    p_value: float
    """Share of such judges with an ECE as large as that found."""


def equal_mass_bins(probabilities: np.ndarray, count: int) -> np.ndarray:
    """(n,) number of each prompt's bin, 0 to `count` - 1; equal probabilities fall into one bin."""
    edges = np.percentile(probabilities, np.linspace(0, 100, count + 1))
    return np.searchsorted(edges[1:-1], probabilities)


def calibration_error(probabilities: np.ndarray, unsafe: np.ndarray, bins: np.ndarray) -> float:
    """ECE of (n,) probabilities of unsafe, in `bins` (n,)."""
    return float(np.abs(np.bincount(bins, unsafe - probabilities)).sum() / len(bins))


def error_interval(probabilities: np.ndarray, unsafe: np.ndarray, bins: np.ndarray, clusters: Clusters) -> Interval:
    """The ECE with its basic 95 % bootstrap interval over groups, within [0, 1]; the bins stay as they are."""
    value = calibration_error(probabilities, unsafe, bins)
    per_group = np.zeros((clusters.count, int(bins.max()) + 1))
    np.add.at(per_group, (clusters.member, bins), unsafe - probabilities)
    drawn = np.abs(clusters.taken @ per_group).sum(1) / (clusters.taken @ clusters.sizes)
    low, high = (2 * value - end for end in np.quantile(drawn, [0.975, 0.025]))
    return Interval(value=value, low=min(value, max(0.0, float(low))), high=max(value, min(1.0, float(high))))


def error_by_chance(probabilities: np.ndarray, bins: np.ndarray, found: float, draws: int, seed: int) -> ByChance:
    """The ECE with labels drawn from the probabilities themselves, prompt by prompt."""
    random, errors = np.random.default_rng(seed), []
    rows = max(1, AT_ONCE // len(bins))
    of_bin = (bins[:, None] == np.arange(int(bins.max()) + 1)).astype(float)  # (n, bins)
    for start in range(0, draws, rows):
        block = min(rows, draws - start)
        labels = random.random((block, len(bins))) < probabilities
        errors.append(np.abs((labels - probabilities) @ of_bin).sum(1) / len(bins))
    drawn = np.concatenate(errors)
    p_value = (1 + int((drawn >= found).sum())) / (1 + len(drawn))
    return ByChance(float(drawn.mean()), float(np.quantile(drawn, 0.95)), p_value)
