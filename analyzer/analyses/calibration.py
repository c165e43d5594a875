"""Thresholds and calibration: what the judge's scores on the probe set mean, over all prompts and part by part.

Unsafe is the positive class. A prompt is judged unsafe from a threshold on; the judge's own one is 0. Probabilities
are sigmoid(score). No pass over the model is made but the one that all analyses share, and for a judge that answers
in words the one that reads its answers (`analyzer/session/answers_read.py`).

Summary, where defined: ece, ece_by_chance, overconfidence, tpr_at_fpr_1, fnr_at_fpr_20, best_threshold, and of
judges that answer in words answer_mass, answer_mass_safe, answer_mass_unsafe. Tensors in probe order: "scores" (n,
nats; NaN where a prompt is left out), "labels" (n, 1 for unsafe), and "answer_mass" (n) of a judge that answers in
words.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field
from scipy.special import expit

from analyzer.analyses import Outcome, computes
from analyzer.session.answers_read import ProbeAnswers, probe_answers
from analyzer.session.context import Context
from analyzer.statistics.calibration_error import (
    calibration_error,
    equal_mass_bins,
    error_by_chance,
    error_interval,
)
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters, wilson_interval
from analyzer.statistics.operating_points import Roc, at_most, balanced, balanced_held_out, points_of, roc
from analyzer.statistics.rates import auc_of, rates
from analyzer.statistics.separation import separation, unit_of
from shared.errors import CannotCompute
from shared.findings.calibration import (
    AnswerReading,
    CalibrationResult,
    Cell,
    CurvePoint,
    Histogram,
    OperatingPoint,
    Reliability,
    ReliabilityBin,
    SaidAnswer,
    SaidCategory,
)
from shared.findings.parts import Interval
from shared.settings import Settings

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


class CalibrationSettings(Settings):
    """How thresholds and calibration are measured."""

    wanted_fpr: float = Field(0.05, gt=0, lt=1)
    """Share of safe prompts that may be refused, for which a threshold is sought."""
    bins: int = Field(10, ge=2, le=100)
    """Bins of the reliability curve, of equal mass; fewer where they would hold less than 8 prompts."""
    length_bins: int = Field(4, ge=2, le=20)
    """Parts by length in tokens, of equal mass."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of intervals, and draws of labels for what comes by chance."""


@computes("calibration", CalibrationSettings, version=1)
def calibration(context: Context, settings: CalibrationSettings) -> Outcome:
    """Thresholds and calibration of this checkpoint. Raises CannotCompute without probes."""
    if not context.probes:
        raise CannotCompute("The probe set is empty, so no score has a meaning; write probes.jsonl first.")
    scores = context.forward.scores.astype(float)
    unsafe = np.array([probe.label == "unsafe" for probe in context.probes])
    groups = independent_groups(context.probes)
    clusters = Clusters(groups.tolist(), settings.bootstraps, context.seed)
    answers = probe_answers(context)
    both = bool(unsafe.any() and not unsafe.all())
    curve = roc(scores, unsafe) if both else None
    result = CalibrationResult(
        unsafe=int(unsafe.sum()),
        safe=int((~unsafe).sum()),
        histogram=_histogram(scores, unsafe),
        roc=[] if curve is None else _thinned(curve.fpr, curve.tpr, curve.thresholds),
        auc=auc_of(scores, unsafe, clusters),
        points=[] if curve is None else _points(curve, clusters, settings.wanted_fpr),
        balanced_held_out=None if curve is None else balanced_held_out(curve, clusters),
        reliability=_reliability(scores, unsafe, clusters, settings, context.seed),
        cells=list(_cells(context, scores, unsafe, groups, settings.length_bins)),
        answers=None if answers is None else _answers(answers, unsafe, clusters),
        separation=separation(scores, unsafe, clusters, unit_of(context.probes, groups)),
    )
    everyone = np.array([int(probe.label == "unsafe") for probe in context.probe_set])
    tensors = {"scores": context.in_probe_set(scores).astype(np.float32), "labels": everyone.astype(np.int64)}
    if answers is not None:
        tensors["answer_mass"] = context.in_probe_set(answers.mass).astype(np.float32)
    return Outcome(result, _summary(result), tensors)


def _summary(result: CalibrationResult) -> dict[str, float]:
    told = result.reliability
    found = {
        "ece": told.error.value,
        "ece_by_chance": told.by_chance,
        "overconfidence": told.overconfidence.value,
    }
    sharp, loose, best = result.at(0.01), result.at(0.2), result.of("balanced")
    if sharp is not None and loose is not None and best is not None:
        found |= {"tpr_at_fpr_1": sharp.tpr.value, "fnr_at_fpr_20": 1 - loose.tpr.value}
        found["best_threshold"] = best.threshold.value
    for name, mass in result.answers.mass.items() if result.answers else ():
        found["answer_mass" if name == "all" else f"answer_mass_{name}"] = mass.value
    return found


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
    scores: np.ndarray, unsafe: np.ndarray, clusters: Clusters, settings: CalibrationSettings, seed: int
) -> Reliability:
    probabilities = expit(scores)
    bins = equal_mass_bins(probabilities, min(settings.bins, max(2, len(scores) // PER_BIN)))
    found = calibration_error(probabilities, unsafe, bins)
    chance = error_by_chance(probabilities, bins, found, settings.bootstraps, seed)
    confidence = np.maximum(probabilities, 1 - probabilities)
    return Reliability(
        bins=[_bin(probabilities, unsafe, bins == number, clusters) for number in np.unique(bins)],
        error=error_interval(probabilities, unsafe, bins, clusters),
        by_chance=chance.mean,
        by_chance_high=chance.high,
        p_value=chance.p_value,
        overconfidence=clusters.mean(confidence - ((scores > 0) == unsafe)),
    )


def _bin(probabilities: np.ndarray, unsafe: np.ndarray, inside: np.ndarray, clusters: Clusters) -> ReliabilityBin:
    share = float(unsafe[inside].mean())
    influence = inside * (unsafe - share) / inside.sum()
    return ReliabilityBin(
        count=int(inside.sum()),
        predicted=float(probabilities[inside].mean()),
        observed=clusters.share(share, influence, clusters.holding(inside)),
    )


def _cells(
    context: Context, scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray, length_bins: int
) -> Iterator[Cell]:
    """By category and by language, where these are named, the largest first; and by length."""
    for kind in ("category", "language"):
        names = np.array([getattr(probe, kind) for probe in context.probes])
        sizes = {name: int((names == name).sum()) for name in dict.fromkeys(names.tolist()) if name}
        for name in sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_CELLS]:
            yield _cell(kind, name, names == name, scores, unsafe, groups)
    yield from _by_length(context, scores, unsafe, groups, length_bins)


def _by_length(
    context: Context, scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray, count: int
) -> Iterator[Cell]:
    lengths = np.array([len(encoded.content) for encoded in context.encoded])
    bins = equal_mass_bins(lengths.astype(float), count)
    for number in np.unique(bins):
        inside = bins == number
        low, high = int(lengths[inside].min()), int(lengths[inside].max())
        name = f"{low} to {high} tokens" if high > low else f"{low} token{'s' if low != 1 else ''}"
        yield _cell("length", name, inside, scores, unsafe, groups)


def _cell(
    kind: str, name: str, inside: np.ndarray, scores: np.ndarray, unsafe: np.ndarray, groups: np.ndarray
) -> Cell:
    """Rates of the prompts `inside` (n,); silent where a class has too few of them."""
    own, wrong = groups[inside], unsafe[inside]
    found = rates(scores[inside], wrong.astype(int), Clusters(own.tolist(), 1, 0))
    enough = {"fnr": wrong.sum() >= FEWEST, "fpr": (~wrong).sum() >= FEWEST}
    enough["auc"] = enough["fnr"] and enough["fpr"]
    told = {rate: found.get(rate) if enough[rate] else None for rate in ("fnr", "fpr", "auc")}
    return Cell(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        unsafe=int(wrong.sum()),
        safe=int((~wrong).sum()),
        groups=len(np.unique(own)),
        **told,
    )


def _answers(read: ProbeAnswers, unsafe: np.ndarray, clusters: Clusters) -> AnswerReading:
    chosen = {"all": np.ones_like(unsafe), "safe": ~unsafe, "unsafe": unsafe}
    mass = {name: _mean_share(read.mass, rows, clusters) for name, rows in chosen.items() if rows.any()}
    held = {label: {each.token: each.probability for each in top} for label, top in read.top.items()}
    top = [
        SaidAnswer(
            text=each.text,
            side=each.side,
            on_safe=held.get("safe", {}).get(each.token, 0.0),
            on_unsafe=held.get("unsafe", {}).get(each.token, 0.0),
        )
        for each in read.top_of_all
    ]
    categories = [
        SaidCategory(name=name, on_safe=shares.get("safe"), on_unsafe=shares.get("unsafe"))
        for name, shares in read.categories.items()
    ]
    return AnswerReading(
        mass=mass,
        top=top,
        whole_agree=None if read.agreeing is None else wilson_interval(*read.agreeing),
        categories=sorted(categories, key=lambda each: -(each.on_unsafe or 0.0)),
    )


def _mean_share(values: np.ndarray, rows: np.ndarray, clusters: Clusters) -> Interval:
    """Mean of (n,) shares over the prompts `rows` (n,), with its interval over groups."""
    value = float(np.clip(values[rows].mean(), 0.0, 1.0))
    return clusters.share(value, rows * (values - value) / rows.sum(), clusters.holding(rows))
