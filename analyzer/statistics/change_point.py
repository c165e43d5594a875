"""When does a number that moves all the time move unusually? The robust z of its newest step.

The newest step-to-step change is compared with the steps before it: z = (change - median) / (1.4826 MAD), over a
trailing window of 8 changes, of which at least 5 must be known. A flag needs |z| > 4 and a change above a minimum
that is worth a look, both by more than rounding: shares of few prompts often change by exactly the minimum. Where
the number hardly moved before, MAD is close to 0 and would make everything unusual: it counts as at least a quarter
of the minimum, so that there the minimum alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from analyzer.statistics.ties import exceeds

TRAILING = 8
"""Changes before the newest one that it is compared with."""
ENOUGH = 5
"""How many of them must be known."""
THRESHOLD = 4.0
NORMAL = 1.4826
"""MAD times this is the standard deviation, where numbers are normally distributed."""


@dataclass(frozen=True)
class ChangePoint:
    """A step of a series, and how unusual it is."""

    before: float
    now: float
    z: float = 0.0
    known: int = 0
    """Steps it was compared with."""

    @property
    def change(self) -> float:
        return self.now - self.before


def change_point(values: Sequence[float | None], minimum: float) -> ChangePoint | None:
    """Whether the newest of `values` (oldest first, None where missing) changed unusually; `minimum` above 0.

    A missing value takes away the steps on both its sides; none is stretched over the gap.
    """
    steps = [
        None if before is None or after is None else ChangePoint(before, after)
        for before, after in pairwise(values)
    ]
    newest = steps[-1] if steps else None
    window = [step.change for step in steps[-TRAILING - 1 : -1] if step is not None]
    if newest is None or len(window) < ENOUGH:
        return None
    middle = float(np.median(window))
    spread = max(NORMAL * float(np.median(np.abs(np.array(window) - middle))), minimum / THRESHOLD)
    z = (newest.change - middle) / spread
    unusual = exceeds(abs(z), THRESHOLD) and exceeds(abs(newest.change), minimum)
    return replace(newest, z=z, known=len(window)) if unusual else None
