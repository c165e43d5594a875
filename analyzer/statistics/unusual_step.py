"""When does a number that moves all the time move unusually? Its newest step against its own steps before.

1. Steps are differences of neighbours.
2. The usual step is the root mean square of the `TRAILING` steps before the newest one (at least `ENOUGH`). About
   0, not about their mean: of a curve that still falls, the next step of the trend is usual. Where the learning
   rate is known, it is also taken of the steps divided by the rate between their ends, times the newest one's; the
   larger counts. A warm restart pushes the judge further and is no alarm; but a rate that falls does not make the
   usual step smaller, because what the prompts leave open does not fall with it (then 58 % of runs under a
   linear schedule and 98 % under a cosine would raise an alarm).
3. It is at least the standard error that the prompts leave to a step, and at least what is worth a look divided by
   the quantile of (4): a number that never moved would make every step unusual.
4. If steps were normal, |newest| / usual would follow Student's t with as many degrees of freedom as steps before.
   A note needs its two-sided quantile at `ALPHA` spread over the tests of a run; an alarm `TAIL` times as much,
   because steps are not normal: with Student's t of 3 degrees of freedom two of three runs raise a note.

How often either comes by chance, and what it takes: `tests/analyzer/evolution/test_false_alarms.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from analyzer.statistics.ties import exceeds

TRAILING = 20
"""Steps before the newest one that it is compared with."""
ENOUGH = 8
"""How many of them must be known."""
ALPHA = 0.03
"""Share of runs of 30 checkpoints in which normally distributed steps raise a note."""
TAIL = 3.5
"""Of an alarm: times the bar of a note."""


@dataclass(frozen=True)
class UnusualStep:
    """The newest step of a series."""

    severity: Literal["alarm", "note"]
    before: float
    now: float
    usual: float
    n: int
    ratio: float
    bar: float
    """Of this severity."""


def unusual_step(
    values: Sequence[float | None],
    minimum: float,
    tests: int,
    rates: Sequence[float | None] = (),
    error: float | None = None,
) -> UnusualStep | None:
    """Whether the newest of `values` (oldest first, None where missing) stepped unusually; `minimum` above 0.

    `tests` is how many of these a run has. `rates` (as many as values) are learning rates at the values; where one
    of those needed is missing, or 0 over a whole step, steps count as they are. `error` is the standard error of
    the newest step over the same prompts. A missing value takes away the steps on both its sides; none is
    stretched over the gap.
    """
    steps = [None if a is None or b is None else b - a for a, b in pairwise(values)]
    pushes = _pushes(rates, steps)
    newest = steps[-1] if steps else None
    known = [(step, push) for step, push in zip(steps, pushes, strict=True) if step is not None][-TRAILING - 1 :]
    if newest is None or len(known) - 1 < ENOUGH:
        return None
    before, pushed = np.array(known[:-1]).T
    bar = note_bar(len(before), tests)
    usual = max(_size(before), _size(before / pushed) * known[-1][1], error or 0.0, minimum / bar)
    ratio = abs(newest) / usual
    if not exceeds(ratio, bar):
        return None
    alarm = exceeds(ratio, TAIL * bar)
    last, now = values[-2], values[-1]
    assert last is not None and now is not None  # noqa: S101 (the newest step is known)
    return UnusualStep(
        severity="alarm" if alarm else "note",
        before=last,
        now=now,
        usual=usual,
        n=len(before),
        ratio=ratio,
        bar=TAIL * bar if alarm else bar,
    )


def _size(steps: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(steps**2)))


def note_bar(steps: int, tests: int) -> float:
    """Usual steps from which on the newest one is a note, after so many `steps`."""
    return float(-stdtrit(steps, ALPHA / 2 / tests))


def _pushes(rates: Sequence[float | None], steps: Sequence[float | None]) -> list[float]:
    """The mean learning rate of each step; 1 for all where one of a known step is not known, or 0."""
    if len(rates) != len(steps) + 1:
        return [1.0] * len(steps)
    means = [None if a is None or b is None else (a + b) / 2 for a, b in pairwise(rates)]
    needed = [mean for mean, step in zip(means, steps, strict=True) if step is not None][-TRAILING - 1 :]
    if not all(needed):
        return [1.0] * len(steps)
    return [mean or 1.0 for mean in means]
