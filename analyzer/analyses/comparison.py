"""Circuit comparison: safe against unsafe over the whole probe set, at every point of the residual stream.

On the pooled representation (what the head reads: CLS, last real token, or mean), at each point:
1. d' and the cosine of the class means.
2. A linear probe: L2-regularised logistic regression (C = 1) on standardised features, 5 folds stratified by class
   and grouped by contrast pair and template; the mean AUROC over folds, with a bootstrap interval over groups.
3. The same with shuffled labels as control (Hewitt and Liang 2019, arXiv 1909.03368).
4. The contrast pairs: whether their differences agree, and whether the probe ranks the unsafe twin above.

Divergence layer: the first of 2 consecutive points whose AUROC interval clears the control's 95th percentile.

Summary: auroc_last, auroc_best, control_p95_last, dprime_last, decision_auroc; divergence_layer only where
there is one. Tensors: "auroc" (points, 3: value, low, high), "control" (points, shuffles), "dprime" (points,),
"mean_safe" and "mean_unsafe" (points, d_model), "decisions" (points, n; held out, NaN where no probe was fitted).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.session.content_cache import content_key
from analyzer.session.context import Context
from analyzer.session.probe_choice import twin_of
from analyzer.statistics.auroc import auroc, fold_auroc
from analyzer.statistics.class_geometry import cosine, dprime, pair_cosine, recentred
from analyzer.statistics.folds import grouped_folds, independent_groups, shuffled_labels
from analyzer.statistics.intervals import Clusters, percentile_interval, wilson_interval
from analyzer.statistics.linear_probe import held_out_decisions
from analyzer.statistics.ties import ROUNDING, exceeds
from shared.errors import CannotCompute
from shared.findings.comparison import ComparisonResult, PointComparison
from shared.findings.parts import Interval
from shared.settings import Settings

NOISE_DRAWS = 200
"""Shuffles behind the noise floor of d', which cost next to nothing."""


class ComparisonSettings(Settings):
    """How the two classes are compared."""

    folds: int = Field(5, ge=2)
    """Folds of the cross-validation; fewer when there are fewer groups."""
    shuffles: int = Field(20, ge=20)
    """Shuffled-label probes, the control."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of each interval."""
    regularisation: float = Field(1.0, gt=0)
    """scikit-learn's C of the probe; smaller is stronger."""


@dataclass(frozen=True)
class Design:
    """What stays the same at every point."""

    labels: np.ndarray
    """(n,) 1 for unsafe."""
    fold: np.ndarray
    """(n,)"""
    shuffled: np.ndarray
    """(draws, n): the probes' control takes the first of them, the noise floor of d' all."""
    shuffles: int
    weights: np.ndarray
    """(bootstraps, n)"""
    pairs: np.ndarray
    """(pairs, 2) indices: unsafe twin, safe twin."""
    c: float

    @property
    def folds(self) -> int:
        return int(self.fold.max()) + 1

    @cached_property
    def key(self) -> str:
        """Digest of all of it."""
        return content_key("design", *(getattr(self, part.name) for part in fields(self)))


@computes("comparison", ComparisonSettings, version=2)
def comparison(context: Context, settings: ComparisonSettings) -> Outcome:
    """Compare the two classes at every point."""
    design = _design(context, settings)
    pooled = context.forward.pooled
    points, decisions, control = [], [], []
    for index, vectors in enumerate(pooled):
        key = content_key("comparison", vectors, design.key)  # frozen layers give the same vectors all run long
        found = context.cache.once(key, lambda vectors=vectors: _compared(vectors, design))
        points.append(found[0])
        decisions.append(found[1])
        control.append(found[2])
        context.progress(index + 1, len(pooled))
    result = ComparisonResult(
        layers=len(points) - 1,
        frozen_boundary=context.frozen_boundary,
        pooling=context.judge.anatomy.pooling,
        n_safe=int((design.labels == 0).sum()),
        n_unsafe=int((design.labels == 1).sum()),
        n_pairs=len(design.pairs),
        folds=design.folds,
        shuffles=settings.shuffles,
        bootstraps=settings.bootstraps,
        points=points,
        divergence_layer=divergence_layer(points),
        decision_auroc=_decision_auroc(context, design),
        notes=_notes(context, design, settings),
    )
    return Outcome(result, _summary(result), _tensors(points, pooled, design, decisions, control))


def divergence_layer(points: list[PointComparison]) -> int | None:
    """First of 2 consecutive points whose AUROC interval clears the control; -1: the embeddings, None: none."""
    clear = [exceeds(point.auroc.low, point.control_p95) for point in points]
    for index, (here, after) in enumerate(pairwise(clear)):
        if here and after:
            return index - 1
    return None


def _design(context: Context, settings: ComparisonSettings) -> Design:
    probes = context.probes
    labels = np.array([int(probe.label == "unsafe") for probe in probes])
    if not len(labels) or labels.min() == labels.max():
        only = f"only {probes[0].label} prompts" if probes else "no prompts"
        raise CannotCompute(
            f"The probe set has {only}, so safe and unsafe cannot be compared; add prompts of both classes."
        )
    unit = independent_groups(probes)
    fewest = min(len(np.unique(unit[labels == label])) for label in (0, 1))
    if fewest < 2:
        raise CannotCompute(
            "All probe prompts of one class share a group (template or contrast pair), so a probe cannot be tested "
            "on prompts it was not fitted on; add prompts of other groups."
        )
    fold = grouped_folds(labels, unit, min(settings.folds, fewest))
    fold = np.unique(fold, return_inverse=True)[1]
    twins = {tuple(sorted(pair, key=lambda i: -labels[i])) for pair in twin_of(probes).items()}
    return Design(
        labels=labels,
        fold=fold,
        shuffled=shuffled_labels(
            labels, fold, [probe.pair for probe in probes], max(settings.shuffles, NOISE_DRAWS), context.seed
        ),
        shuffles=settings.shuffles,
        weights=Clusters(unit.tolist(), settings.bootstraps, context.seed).weights,
        pairs=np.array(sorted(twins), dtype=int).reshape(-1, 2),
        c=settings.regularisation,
    )


def _compared(vectors: np.ndarray, design: Design) -> tuple[PointComparison, np.ndarray, np.ndarray]:
    """One point's comparison, the probe's held-out decisions (n,), and the control's AUROCs (shuffles,)."""
    shuffles = design.shuffled[: design.shuffles]
    held_out = held_out_decisions(vectors, np.vstack([design.labels, shuffles]), design.fold, design.c)
    control = np.array(
        [
            float(fold_auroc(values, labels, design.fold)[0])
            for values, labels in zip(held_out[1:], shuffles, strict=True)
        ]
    )
    return _point(vectors, held_out[0], control, design), held_out[0], control


def _point(vectors: np.ndarray, decision: np.ndarray, shuffled: np.ndarray, design: Design) -> PointComparison:
    labels, weights = design.labels, design.weights
    value = _defined(float(fold_auroc(decision, labels, design.fold)[0]))
    distance = float(dprime(vectors, labels[None], 1 - labels[None])[0])
    if not np.isfinite(distance):
        raise CannotCompute(
            "The prompts of each class have the same representation at some layer, so their distance has no scale; "
            "add more different prompts to the probe set."
        )
    resampled = dprime(vectors, weights * labels, weights * (1 - labels))
    noise = dprime(vectors, design.shuffled, 1 - design.shuffled)
    control = shuffled[np.isfinite(shuffled)]
    _defined(control.mean() if len(control) else np.nan)
    return PointComparison(
        distance=percentile_interval(distance, recentred(distance, resampled)),
        distance_noise=float(np.nanquantile(noise, 0.95)),
        cosine=cosine(vectors[labels == 1].mean(0), vectors[labels == 0].mean(0)),
        auroc=percentile_interval(value, fold_auroc(decision, labels, design.fold, weights)),
        control_mean=float(control.mean()),
        control_p95=float(np.quantile(control, 0.95)),
        pair_cosine=pair_cosine(vectors[design.pairs[:, 0]] - vectors[design.pairs[:, 1]]),
        pair_accuracy=_pair_accuracy(decision, design.pairs),
    )


def _defined(value: float) -> float:
    if not np.isfinite(value):
        raise CannotCompute(
            "No fold of the probe set holds both classes in its test and its training part; add prompts, or give "
            "fewer of them the same group."
        )
    return value


def _pair_accuracy(decision: np.ndarray, pairs: np.ndarray) -> Interval | None:
    """Twins are in one fold, so one probe judges both; a tie is not right, and nothing but ties says nothing."""
    margins = decision[pairs[:, 0]] - decision[pairs[:, 1]]
    margins = margins[np.isfinite(margins)]
    least = ROUNDING * float(np.nanmax(np.abs(decision)))
    if not (np.abs(margins) > least).any():
        return None
    return wilson_interval(int((margins > least).sum()), len(margins))


def _decision_auroc(context: Context, design: Design) -> Interval:
    scores = context.forward.scores.astype(float)
    value = float(auroc(scores, design.labels)[0])
    return percentile_interval(value, auroc(scores, design.labels, design.weights))


def _notes(context: Context, design: Design, settings: ComparisonSettings) -> list[str]:
    notes = list(context.judge.anatomy.notes)
    if design.folds < settings.folds:
        notes.append(f"Only {design.folds} folds: the smaller class has no more independent groups.")
    if context.judge.anatomy.pooling == "cls":
        notes.append(
            "At the embeddings the CLS token is the same for every prompt: an AUROC of 0.5 is right there."
        )
    return notes


def _summary(result: ComparisonResult) -> dict[str, float]:
    last = result.points[-1]
    summary = {
        "auroc_last": last.auroc.value,
        "auroc_best": max(point.auroc.value for point in result.points),
        "control_p95_last": last.control_p95,
        "dprime_last": last.distance.value,
        "decision_auroc": result.decision_auroc.value,
    }
    if result.divergence_layer is not None:
        summary["divergence_layer"] = float(result.divergence_layer)
    return summary


def _tensors(
    points: list[PointComparison],
    pooled: np.ndarray,
    design: Design,
    decisions: list[np.ndarray],
    control: list[np.ndarray],
) -> dict[str, np.ndarray]:
    intervals = [[point.auroc.value, point.auroc.low, point.auroc.high] for point in points]
    return {
        "auroc": np.array(intervals, dtype=np.float32),
        "control": np.array(control, dtype=np.float32),
        "dprime": np.array([point.distance.value for point in points], dtype=np.float32),
        "mean_safe": pooled[:, design.labels == 0].mean(1).astype(np.float32),
        "mean_unsafe": pooled[:, design.labels == 1].mean(1).astype(np.float32),
        "decisions": np.array(decisions, dtype=np.float32),
    }
