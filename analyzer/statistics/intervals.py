"""Intervals: bootstrap over prompts (whole groups at a time), and Wilson's for shares.

Prompts of one group (contrast twins, a template) are not independent, so a bootstrap draw takes or leaves a group
as a whole; without groups that is the usual bootstrap over prompts. Every draw is a vector of weights, so that a
statistic of all draws is one matrix product.

Means and ratios of means get the bootstrap-t (Efron 1981; Hall 1988): the quantiles of (mean* - mean) / se*, with
the cluster-robust standard error of each draw, times the standard error found. At 16 groups it covers 95 %
of normal and 92 % of lognormal samples, where the percentile bootstrap covers 93 and 84 %
(`tests/analyzer/statistics/test_coverage.py`).

Shares between 0 and 1 (rates, F1, AUROC) get Student's t on the logit scale, with the cluster-robust standard error
of the prompts' influences: as sure as the bootstrap there (94-99 % at 16 groups), and without its draws. Where a
share is 0 or 1 nothing varies, and Wilson's interval for as many trials as there are groups says what that many
allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property

import numpy as np
from scipy.special import stdtr, stdtrit

from shared.findings.parts import Interval
from shared.findings.wilson import wilson

FEWEST = 8
"""Groups below which draws repeat each other so often that Student's t stands in for the bootstrap."""
LITTLE_SPREAD, RARE = 0.1, 0.025
"""Student's t also stands in where more than `RARE` of the draws have less than `LITTLE_SPREAD` of the usual
standard error: the spread is in a few groups, and a draw without these divides by next to nothing."""
HALVINGS = 40
"""Of the way to an end of a ratio's interval."""


class Clusters:
    """Prompts in independent groups, and bootstrap draws that take or leave a group as a whole.

    `groups` (n,) is the group of each prompt; the same `seed` gives the same draws.
    """

    def __init__(self, groups: Sequence[Hashable], draws: int, seed: int) -> None:
        numbers = {group: index for index, group in enumerate(dict.fromkeys(groups))}
        self.member = np.array([numbers[group] for group in groups], dtype=int)
        self.count = len(numbers)
        self.sizes = np.bincount(self.member, minlength=self.count).astype(float)
        even = np.full(self.count, 1 / max(self.count, 1))
        self.taken = np.random.default_rng(seed).multinomial(self.count, even, size=draws).astype(float)

    @cached_property
    def weights(self) -> np.ndarray:
        """(draws, n) how often each prompt is taken in each draw."""
        return self.taken[:, self.member]

    def totals(self, values: np.ndarray) -> np.ndarray:
        """(groups,) sum of (n,) values over each group."""
        return np.bincount(self.member, values, minlength=self.count)

    def error(self, values: np.ndarray) -> float:
        """Cluster-robust standard error of the mean of (n,) values; NaN for fewer than 2 groups."""
        if self.count < 2:
            return math.nan
        away = self.totals(values - values.mean())
        return math.sqrt(self.count / (self.count - 1) * float(away @ away)) / len(values)

    def mean(self, values: np.ndarray) -> Interval:
        """Mean of (n,) values with its 95 % bootstrap-t interval; with one group there is no width to tell."""
        value, error = float(values.mean()), self.error(values)
        if not error > np.finfo(float).eps * float(np.abs(values).max()):
            return Interval(value=value, low=value, high=value)
        low, high = self._quantiles(_Moments(self, values, np.zeros(len(values))), 0.0)
        return _around(value, value - high * error, value - low * error)

    def student(self, values: np.ndarray) -> Interval:
        """Mean of (n,) values with Student's 95 % interval over groups: where most values are all but equal and a
        few are not (a saturated judge), bootstrap draws without these have no spread to divide by.
        """
        value, error = float(values.mean()), self.error(values)
        half = 0.0 if math.isnan(error) else float(stdtrit(self.count - 1, 0.975)) * error
        return Interval(value=value, low=value - half, high=value + half)

    def ratio(self, part: np.ndarray, whole: np.ndarray) -> Interval | None:
        """sum(part) / sum(whole) of (n,) values each; None where its interval has no end.

        A share q belongs to the interval when the bootstrap-t interval of the mean of part - q whole holds 0
        (Fieller's way), so that a small denominator makes the interval wide and not wrong.
        """
        if self.mean(whole).low <= 0 <= self.mean(whole).high:
            return None
        value = float(part.sum() / whole.sum())
        error = self.error(part - value * whole) / abs(float(whole.mean()))
        if not error > np.finfo(float).eps * max(1.0, abs(value)):
            return Interval(value=value, low=value, high=value)
        moments = _Moments(self, part, whole)

        def holds(share: float) -> bool:
            left = part - share * whole
            low, high = self._quantiles(moments, share)
            return low * self.error(left) <= left.mean() <= high * self.error(left)

        ends = [_end(holds, value, side * error) for side in (-1, 1)]
        return None if ends[0] is None or ends[1] is None else _around(value, ends[0], ends[1])

    def holding(self, which: np.ndarray) -> int:
        """Groups with a prompt of `which` (n,), boolean."""
        return len(np.unique(self.member[which]))

    def rarer(self, which: np.ndarray) -> int:
        """Groups with a prompt of the rarer of two classes, `which` (n,) or not."""
        return min(self.holding(which), self.holding(~which))

    def share(self, value: float, influence: np.ndarray, groups: int, further: float = 0.0) -> Interval:
        """A statistic between 0 and 1 from the influence (n,) of each prompt on it.

        `groups` is how many it rests on, all or those that hold its rarer class; `further` is variance that does
        not come from the choice of prompts.
        """
        if groups < 2:
            return Interval(value=value, low=0.0, high=1.0)
        totals = self.totals(influence)
        error = math.sqrt(groups / (groups - 1) * float(totals @ totals) + further)
        quantile = float(stdtrit(groups - 1, 0.975))
        if not (0 < value < 1 and error > np.finfo(float).eps):
            return wilson(value, groups, quantile)
        centre, half = math.log(value / (1 - value)), quantile * error / (value * (1 - value))
        return _around(value, _logistic(centre - half), _logistic(centre + half))

    def p_value(self, values: np.ndarray) -> float:
        """Two-sided p of Student's t on groups that the mean of (n,) values is 0; 1 for fewer than 2 groups."""
        error = self.error(values)
        if not error > 0:
            return 1.0 if math.isnan(error) or values.mean() == 0 else 0.0
        return float(2 * stdtr(self.count - 1, -abs(float(values.mean())) / error))

    def _quantiles(self, moments: _Moments, share: float) -> tuple[float, float]:
        """2.5th and 97.5th percentile of (mean* - mean) / se* over the draws."""
        found = None if self.count < FEWEST else moments.studentised(share)
        if found is None:
            half = float(stdtrit(self.count - 1, 0.975))
            return -half, half
        ordered = np.sort(found)
        return quantile_in_order(ordered, 0.025), quantile_in_order(ordered, 0.975)


class _Moments:
    """Sums over each draw of what the studentised mean of part - share x whole needs, for any share."""

    def __init__(self, clusters: Clusters, part: np.ndarray, whole: np.ndarray) -> None:
        self.scale = clusters.count / (clusters.count - 1)
        rows = [clusters.totals(part - part.mean()), clusters.totals(whole - whole.mean()), clusters.sizes]
        products = [rows[i] * rows[j] for i, j in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))]
        self.sums = clusters.taken @ np.array([*rows, *products]).T  # (draws, 9)

    def studentised(self, share: float) -> np.ndarray | None:
        """(defined draws,) (mean* - mean) / se*; a draw without spread is left out, None where many have little."""
        part, whole, size, pp, pw, ww, pn, wn, nn = self.sums.T
        moved = (part - share * whole) / size
        squares = pp - 2 * share * pw + share**2 * ww - 2 * moved * (pn - share * wn) + moved**2 * nn
        error = np.sqrt(np.maximum(self.scale * squares, 0)) / size
        ordered = np.sort(error)
        if quantile_in_order(ordered, RARE) < LITTLE_SPREAD * quantile_in_order(ordered, 0.5):
            return None
        defined = error > 1e-9 * error.max()
        return moved[defined] / error[defined]


def quantile_in_order(ordered: np.ndarray, share: float) -> float:
    """What numpy.quantile gives of (n,) values in order, n above 0, in a fraction of its time: an end of a ratio's
    interval takes some hundred of them.
    """
    place = share * (len(ordered) - 1)
    first = int(place)
    low, high = float(ordered[first]), float(ordered[min(first + 1, len(ordered) - 1)])
    part = place - first
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def _end(holds: Callable[[float], bool], inside: float, step: float) -> float | None:
    """Where `holds` ends on the way from `inside` in steps that grow; None where it does not."""
    for _ in range(60):
        outside = inside + step
        if not holds(outside):
            break
        inside, step = outside, 1.5 * step
    else:
        return None
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _around(value: float, low: float, high: float) -> Interval:
    """An interval holds its value."""
    return Interval(value=value, low=min(low, value), high=max(high, value))


def percentile_interval(value: float, draws: np.ndarray) -> Interval:
    """The 2.5th to 97.5th percentile of the draws that are defined, widened where needed to hold `value`."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return Interval(value=value, low=value, high=value)
    low, high = np.quantile(draws, [0.025, 0.975])
    return _around(value, float(low), float(high))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
