"""Fisher's exact test (1922) of two shares, two-sided: are so different ones chance?"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb


@lru_cache(maxsize=16_384)
def fisher_p(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Two-sided p-value of `hits` in `of` against `other_hits` in `other_of`: the sum over all tables with the same
    margins that are no more likely. Counted in whole numbers. 1 where either side is empty.
    """
    if not of or not other_of:
        return 1.0
    all_hits = hits + other_hits
    low, high = max(0, all_hits - other_of), min(of, all_hits)
    ways = [comb(of, low) * comb(other_of, all_hits - low)]
    for k in range(low, high):
        ways.append(ways[-1] * (of - k) * (all_hits - k) // ((k + 1) * (other_of - all_hits + k + 1)))
    seen = ways[hits - low]
    return float(Fraction(sum(way for way in ways if way <= seen), sum(ways)))
