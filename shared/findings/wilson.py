"""Wilson's score interval of a share (1927)."""

from __future__ import annotations

import math

from shared.findings.parts import Interval

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal."""


def wilson_interval(successes: int, count: int) -> Interval:
    """A share with Wilson's 95 % score interval; `count` above 0."""
    return wilson(successes / count, count)


def wilson(share: float, count: float, quantile: float = Z95) -> Interval:
    """Wilson's interval of a share of `count` trials at a two-sided `quantile` of its standard error."""
    centre = share + quantile**2 / (2 * count)
    spread = quantile * math.sqrt(share * (1 - share) / count + quantile**2 / (4 * count**2))
    scale = 1 + quantile**2 / count
    low = 0.0 if share == 0 else (centre - spread) / scale
    high = 1.0 if share == 1 else (centre + spread) / scale
    return Interval(value=share, low=low, high=high)
