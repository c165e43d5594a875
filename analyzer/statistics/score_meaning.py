"""What scores mean: how they lie by class, what a threshold catches, whether probabilities hold, and for whom.

Unsafe is the positive class. A prompt is judged unsafe from a threshold on; the judge's own one is 0. Probabilities
are sigmoid(score + shift), where the judge states any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from analyzer.statistics.calibration_error import (
    calibration_error,
    equal_mass_bins,
    error_by_chance,
    error_interval,
)
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.operating_points import Roc, at_most, balanced, balanced_held_out, points_of, roc
from analyzer.statistics.rates import auc_of, rates
from analyzer.statistics.separation import separation
from shared.findings.calibration import (
    AnswerReading,
    CalibrationResult,
    Cell,
    CellKind,
    CurvePoint,
    Histogram,
    OperatingPoint,
    Reliability,
    ReliabilityBin,
)
from shared.findings.claims import Unit
from shared.findings.parts import Interval

RATES = (0.001, 0.01, 0.2)
"""False-positive rates at which the true-positive rate is told."""
HISTOGRAM_BINS = 40
SPREAD = 0.995
"""Share of the scores that the histogram's inner bins hold."""
MOST_POINTS = 400
"""Of the ROC that are kept; its operating points come from all."""
FEWEST = 8
"""Prompts of a class in a part below which its rate is not told."""
MOST_CELLS = 40
"""Categories, and languages, that are told: the largest."""
PER_BIN = 8
"""Prompts of a bin of the reliability curve, at least."""


class Amount(NamedTuple):
    """How thresholds and calibration are measured."""

    wanted_fpr: float = 0.05
    """Share of safe prompts that may be refused, for which a threshold is sought."""
    bins: int = 10
    """Bins of the reliability curve, of equal mass; fewer where they would hold less than `PER_BIN` prompts."""
    draws: int = 1000
    """Bootstrap draws of intervals, and draws of labels for what comes by chance."""
    seed: int = 0


class Scored(NamedTuple):
    """Prompts as they are scored and labelled, each (n,)."""

    scores: np.ndarray
    """Nats."""
    unsafe: np.ndarray
    """Boolean."""
    groups: np.ndarray
    """Number of its independent group."""


def score_meaning(
    prompts: Scored,
    amount: Amount,
    cells: list[Cell],
    unit: Unit,
    answers: AnswerReading | None = None,
    *,
    shift: float | None = 0.0,
) -> CalibrationResult:
    """All of it, of one prompt or more; what needs both classes is empty with one alone.

    `shift` makes a score the log-odds that the judge states, nats; None where it states none.
    """
    scores, unsafe, groups = prompts
    clusters = Clusters(groups.tolist(), amount.draws, amount.seed)
    curve = roc(scores, unsafe) if unsafe.any() and not unsafe.all() else None
    return CalibrationResult(
        unsafe=int(unsafe.sum()),
        safe=int((~unsafe).sum()),
        histogram=_histogram(scores, unsafe),
        roc=[] if curve is None else _thinned(curve.fpr, curve.tpr, curve.thresholds),
        auc=auc_of(scores, unsafe, clusters),
        points=[] if curve is None else _points(curve, clusters, amount.wanted_fpr),
        balanced_held_out=None if curve is None else balanced_held_out(curve, clusters),
        reliability=None if shift is None else _reliability(scores, unsafe, clusters, amount, shift),
        cells=cells,
        answers=answers,
        separation=separation(scores, unsafe, clusters, unit),
    )


def cells_by_name(prompts: Scored, names: Mapping[CellKind, Sequence[str]]) -> Iterator[Cell]:
    """By what each prompt is called (`names`: kind -> (n,) names, empty where it has none), the largest first."""
    for kind, each in names.items():
        called = np.array(each, dtype=object)
        sizes = {name: int((called == name).sum()) for name in dict.fromkeys(called.tolist()) if name}
        for name in sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_CELLS]:
            yield _cell(kind, name, called == name, prompts)


def cells_by_length(prompts: Scored, lengths: np.ndarray, count: int) -> Iterator[Cell]:
    """By (n,) lengths in tokens, in `count` parts of equal mass."""
    bins = equal_mass_bins(lengths.astype(float), count)
    for number in np.unique(bins):
        inside = bins == number
        low, high = int(lengths[inside].min()), int(lengths[inside].max())
        name = f"{low} to {high} tokens" if high > low else f"{low} token{'s' if low != 1 else ''}"
        yield _cell("length", name, inside, prompts)


def _histogram(scores: np.ndarray, unsafe: np.ndarray) -> Histogram:
    """Over the range that holds nearly all scores and the judge's own threshold."""
    low, high = np.quantile(scores, [(1 - SPREAD) / 2, (1 + SPREAD) / 2])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    edges = np.linspace(low, high if high > low else low + 1.0, HISTOGRAM_BINS + 1)
    kept = np.clip(scores, edges[0], edges[-1])
    safe, other = (np.histogram(kept[chosen], edges)[0].tolist() for chosen in (~unsafe, unsafe))
    return Histogram(edges=edges.tolist(), safe=safe, unsafe=other)


def _thinned(fpr: np.ndarray, tpr: np.ndarray, thresholds: np.ndarray) -> list[CurvePoint]:
    """The corners of the curve, and of very many every k-th."""
    turns = np.ones(len(fpr), dtype=bool)
    turns[1:-1] = np.diff(fpr, 2).astype(bool) | np.diff(tpr, 2).astype(bool)
    kept = np.flatnonzero(turns)
    if len(kept) > MOST_POINTS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(int))]
    return [
        CurvePoint(fpr=float(fpr[place]), tpr=float(tpr[place]), threshold=float(thresholds[place]))
        for place in kept
    ]


def _points(curve: Roc, clusters: Clusters, wanted: float) -> list[OperatingPoint]:
    asked = [("fpr", rate) for rate in RATES] + [("wanted", wanted), ("balanced", None)]
    choices = [balanced if rate is None else at_most(rate) for _, rate in asked]
    scores, unsafe = curve.scores, curve.unsafe
    negatives, found = int((~unsafe).sum()), []
    for (kind, rate), at in zip(asked, points_of(curve, choices, clusters), strict=True):
        told = {"threshold": at.threshold, "tpr": at.tpr, "fpr": at.fpr}
        found.append(OperatingPoint(kind=kind, rate=rate, negatives=negatives, **told))  # type: ignore[arg-type]
    own = rates(scores, unsafe.astype(int), clusters)
    zero = Interval(value=0, low=0, high=0)
    told = {"threshold": zero, "tpr": own["recall"], "fpr": own["fpr"]}
    return [*found, OperatingPoint(kind="own", rate=None, negatives=negatives, **told)]


def _reliability(
    scores: np.ndarray, unsafe: np.ndarray, clusters: Clusters, amount: Amount, shift: float
) -> Reliability:
    probabilities = expit(scores + shift)
    bins = equal_mass_bins(probabilities, min(amount.bins, max(2, len(scores) // PER_BIN)))
    found = calibration_error(probabilities, unsafe, bins)
    chance = error_by_chance(probabilities, bins, found, amount.draws, amount.seed)
    confidence = np.maximum(probabilities, 1 - probabilities)
    return Reliability(
        bins=[_bin(probabilities, unsafe, bins == number, clusters) for number in np.unique(bins)],
        error=error_interval(probabilities, unsafe, bins, clusters),
        by_chance=chance.mean,
        by_chance_high=chance.high,
        p_value=chance.p_value,
        overconfidence=clusters.mean(confidence - ((probabilities > 0.5) == unsafe)),
    )


def _bin(probabilities: np.ndarray, unsafe: np.ndarray, inside: np.ndarray, clusters: Clusters) -> ReliabilityBin:
    share = float(unsafe[inside].mean())
    influence = inside * (unsafe - share) / inside.sum()
    return ReliabilityBin(
        count=int(inside.sum()),
        predicted=float(probabilities[inside].mean()),
        observed=clusters.share(share, influence, clusters.holding(inside)),
    )


def _cell(kind: CellKind, name: str, inside: np.ndarray, prompts: Scored) -> Cell:
    """Rates of the prompts `inside` (n,); silent where a class has too few of them."""
    scores, wrong, own = (values[inside] for values in prompts)
    found = rates(scores, wrong.astype(int), Clusters(own.tolist(), 1, 0))
    enough = {"fnr": wrong.sum() >= FEWEST, "fpr": (~wrong).sum() >= FEWEST}
    enough["auc"] = enough["fnr"] and enough["fpr"]
    told = {rate: found.get(rate) if enough[rate] else None for rate in ("fnr", "fpr", "auc")}
    return Cell(
        kind=kind,
        name=name,
        unsafe=int(wrong.sum()),
        safe=int((~wrong).sum()),
        groups=len(np.unique(own)),
        **told,
    )
