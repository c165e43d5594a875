"""Intervals: bootstrap over prompts (whole groups at a time), and Wilson's for shares.

Prompts of one group (contrast twins, a template) are not independent, so a bootstrap draw takes or leaves a group
as a whole; without groups that is the usual bootstrap over prompts. Every draw is a vector of weights, so that a
statistic of all draws is one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from shared.findings.parts import Interval

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def bootstrap_weights(groups: Sequence[Hashable], draws: int, seed: int) -> np.ndarray:
    """(draws, n) how often each prompt is taken in each draw, whole groups at a time."""
    numbers = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    member = np.array([numbers[group] for group in groups], dtype=int)
    count = len(numbers)
    taken = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    return taken[:, member].astype(float)


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
    """The 2.5th to 97.5th percentile of the draws that are defined, widened where needed to hold `value`."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return Interval(value=value, low=value, high=value)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value))


def mean_interval(values: np.ndarray, weights: np.ndarray) -> Interval:
    """Mean of (n,) values with its bootstrap interval; weights (draws, n)."""
    totals = weights.sum(1)
    draws = weights[totals > 0] @ values / totals[totals > 0]
    return percentile_interval(float(values.mean()), draws)


def wilson_interval(successes: int, count: int) -> Interval:
    """A share with Wilson's 95 % score interval; `count` above 0."""
    share = successes / count
    centre = share + Z95**2 / (2 * count)
    spread = Z95 * math.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    scale = 1 + Z95**2 / count
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == count else (centre + spread) / scale
    return Interval(value=share, low=low, high=high)
