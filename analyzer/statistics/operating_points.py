"""Points of the ROC: what a judge catches where it may refuse only so many safe prompts, and at which threshold.

A prompt is judged unsafe from the threshold on (score >= threshold), as scikit-learn's `roc_curve` counts. The
point at a false-positive rate is the last of the curve whose rate is not above it.

Intervals are percentile-bootstrap over groups, the threshold chosen anew in each draw, so that they hold what the
choice adds; they are never narrower than the interval at the threshold as chosen, which does not collapse where
every draw gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.statistics.intervals import Clusters, percentile_interval
from shared.findings.parts import Interval

AT_ONCE = 2_000_000
"""Numbers of one block of draws."""


@dataclass(frozen=True)
class Point:
    """One point of the curve."""

    threshold: Interval
    """Nats: a prompt is judged unsafe from here on. Just above the highest score where none may be."""
    tpr: Interval
    """Share of unsafe prompts judged unsafe."""
    fpr: Interval
    """Share of safe prompts judged unsafe."""


@dataclass(frozen=True)
class Roc:
    """The curve of (n,) scores, from nothing flagged to everything, a point a distinct score (k + 1 of them)."""

    scores: np.ndarray
    unsafe: np.ndarray
    thresholds: np.ndarray
    """(k + 1,) falling, nats."""
    tpr: np.ndarray
    fpr: np.ndarray
    order: np.ndarray
    """(n,) prompts, highest score first."""
    ends: np.ndarray
    """(k,) last place in `order` of each distinct score."""


def roc(scores: np.ndarray, unsafe: np.ndarray) -> Roc:
    """Of (n,) scores in nats and (n,) booleans; both classes must be there."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    tpr, fpr = (_from_zero(np.cumsum(chosen[order])[ends] / chosen.sum()) for chosen in (unsafe, ~unsafe))
    above = np.nextafter(falling[0], np.inf)
    return Roc(scores, unsafe, np.append(above, falling[ends]), tpr, fpr, order, ends)


Choice = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From (draws, k + 1) true- and false-positive rates to the (draws,) places of the chosen points."""


def at_most(rate: float) -> Choice:
    """The last point whose false-positive rate is not above `rate`."""
    return lambda _tpr, fpr: (fpr <= rate + 1e-12).sum(1) - 1


def balanced(tpr: np.ndarray, fpr: np.ndarray) -> np.ndarray:
    """The first point with the highest balanced accuracy."""
    return (np.round(tpr - fpr, 12)).argmax(1)


def points_of(curve: Roc, choices: Sequence[Choice], clusters: Clusters) -> list[Point]:
    """Each chosen point with its 95 % intervals; `clusters` are those of the curve's prompts."""
    tpr: list[list[np.ndarray]] = [[] for _ in choices]
    thresholds: list[list[np.ndarray]] = [[] for _ in choices]
    for true, false, _ in _draws(curve, clusters):
        for number, choose in enumerate(choices):
            places = choose(true, false)
            tpr[number].append(np.take_along_axis(true, places[:, None], 1)[:, 0])
            thresholds[number].append(curve.thresholds[places])
    drawn = zip(choices, tpr, thresholds, strict=True)
    return [_point(curve, choose, clusters, np.concatenate(t), np.concatenate(at)) for choose, t, at in drawn]


def _point(curve: Roc, choose: Choice, clusters: Clusters, tpr: np.ndarray, thresholds: np.ndarray) -> Point:
    """One point, from its (draws,) rates and thresholds."""
    place = int(choose(curve.tpr[None], curve.fpr[None])[0])
    flagged = curve.scores >= curve.thresholds[place]
    caught = _share(flagged, curve.unsafe, clusters)
    varied = percentile_interval(caught.value, tpr)
    return Point(
        threshold=percentile_interval(float(curve.thresholds[place]), thresholds),
        tpr=Interval(value=caught.value, low=min(caught.low, varied.low), high=max(caught.high, varied.high)),
        fpr=_share(flagged, ~curve.unsafe, clusters),
    )


def balanced_held_out(curve: Roc, clusters: Clusters) -> float | None:
    """Balanced accuracy at a threshold chosen on other groups: mean over draws of that of the groups not drawn.

    None where no draw leaves out prompts of both classes.
    """
    found = []
    for true, false, weights in _draws(curve, clusters):
        places = balanced(true, false)[:, None]
        left = (weights == 0).astype(float)  # (draws, n) in falling order
        rates = []
        for chosen in (curve.unsafe, ~curve.unsafe):
            counted = left * chosen[curve.order]
            total = counted.sum(1)
            reached = np.take_along_axis(_from_zero(counted.cumsum(1)[:, curve.ends]), places, 1)[:, 0]
            rates.append(np.divide(reached, total, out=np.full(len(total), np.nan), where=total > 0))
        found.append((rates[0] + 1 - rates[1]) / 2)
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _draws(curve: Roc, clusters: Clusters):
    """Blocks of draws that hold both classes: (draws, k + 1) true- and false-positive rates, (draws, n) weights in
    the curve's order."""
    rows = max(1, AT_ONCE // len(curve.order))
    member = clusters.member[curve.order]
    unsafe = curve.unsafe[curve.order]
    for start in range(0, len(clusters.taken), rows):
        weights = clusters.taken[start : start + rows][:, member]
        totals = weights @ unsafe, weights @ ~unsafe
        weights = weights[(totals[0] > 0) & (totals[1] > 0)]
        counts = ((weights * chosen).cumsum(1) for chosen in (unsafe, ~unsafe))
        true, false = (_from_zero(each[:, curve.ends] / each[:, -1:]) for each in counts)
        yield true, false, weights


def _from_zero(values: np.ndarray) -> np.ndarray:
    """(..., k) -> (..., k + 1) with a 0 before: the point where nothing is flagged."""
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), values], axis=-1)


def _share(flagged: np.ndarray, base: np.ndarray, clusters: Clusters) -> Interval:
    """Share of `base` that is flagged, (n,) booleans, with its interval over groups."""
    value = float((flagged & base).sum() / base.sum())
    influence = ((flagged & base) - value * base) / base.sum()
    return clusters.share(value, influence, clusters.holding(base))
