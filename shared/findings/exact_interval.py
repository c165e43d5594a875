"""Clopper and Pearson's exact interval of a share (1934): what the two-sided exact sign test does not rule out."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p

NEGLIGIBLE = 1e-18
"""Part of a falling sum below which its next terms change nothing."""


@lru_cache(maxsize=65_536)
def exact_interval(successes: int, count: int, alpha: float) -> tuple[float, float]:
    """Both ends, at confidence 1 - `alpha`; (0, 1) of nothing. 0.5 lies outside just where the two-sided exact sign
    test has p < `alpha`."""
    if count == 0:
        return 0.0, 1.0
    low = 0.0 if successes == 0 else _where(successes, count, alpha / 2)
    high = 1.0 if successes == count else 1 - _where(count - successes, count, alpha / 2)
    return low, high


def _where(least: int, count: int, tail: float) -> float:
    """The share at which `least` or more of `count` have the probability `tail`."""
    low, high = 0.0, 1.0
    for _ in range(50):  # halves to the last bit of a share
        share = (low + high) / 2
        low, high = (low, share) if _reaches(least, count, share, tail) else (share, high)
    return (low + high) / 2


def _reaches(least: int, count: int, share: float, tail: float) -> bool:
    """Whether `least` or more of `count` have at least the probability `tail`.

    In logarithms: of some thousand, the number of ways is no float, and the chance of one way is none either.
    """
    hit, miss, all_ways = log(share), log1p(-share), lgamma(count + 1)
    total = 0.0
    for each in range(least, count + 1):
        ways = all_ways - lgamma(each + 1) - lgamma(count - each + 1)
        chance = exp(ways + each * hit + (count - each) * miss)
        total += chance
        if total >= tail:
            return True
        if each > count * share and chance <= NEGLIGIBLE * total:
            return False
    return False
