"""Circuit comparison: safe against unsafe over the whole probe set, at every point of the residual stream.

On the pooled representation (what the head reads: CLS, last real token, or mean), at each point:
1. d', less its bias, and the cosine of the class means.
2. A linear probe: L2-regularised logistic regression (C = 1) on standardised features, 5 folds stratified by class
   and grouped by contrast pair and template, drawn 10 times; the mean AUROC over folds and splits.
3. The same with shuffled labels as control (Hewitt and Liang 2019, arXiv 1909.03368).
4. The contrast pairs: whether their differences agree, and whether the probe ranks the unsafe twin above.

A split's divergence layer is the first of 2 consecutive points whose AUROC interval in that split clears the
control's 95th percentile. The divergence layer is the one that more than half of the splits name, of a judge that
tells the classes apart itself (the no-claim gate).

Summary: auroc_last, auroc_best, control_p95_last, dprime_last, decision_auroc; divergence_layer only where
there is one. Tensors: "auroc" (points, 3: value, low, high), "control" (points, shuffles), "dprime" (points,),
"mean_safe" and "mean_unsafe" (points, d_model), "decisions" (points, n; held out, mean over splits, NaN where no
probe was fitted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.session.content_cache import content_key
from analyzer.session.context import Context
from analyzer.statistics.auroc import auroc
from analyzer.statistics.class_geometry import cosine, distance, inner_products, pair_cosine, squared_distance
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.repeated_folds import RepeatedProbe, Split, repeated_probe, splits_of
from analyzer.statistics.separation import separation, unit_of
from analyzer.statistics.ties import ROUNDING, exceeds
from shared.errors import CannotCompute
from shared.findings.comparison import ComparisonResult, PointComparison, agreed
from shared.findings.parts import Interval
from shared.findings.wilson import wilson_interval
from shared.prompts.twins import twin_of
from shared.settings import Settings

NOISE_DRAWS = 200
"""Shuffles behind the noise floor of d', which cost next to nothing."""


class ComparisonSettings(Settings):
    """How the two classes are compared."""

    folds: int = Field(5, ge=2)
    """Folds of the cross-validation; fewer when there are fewer groups."""
    splits: int = Field(10, ge=2)
    """Times that the folds are drawn anew."""
    shuffles: int = Field(20, ge=20)
    """Shuffled-label probes over all splits, the control."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of the interval of the judge's own separation."""
    regularisation: float = Field(1.0, gt=0)
    """scikit-learn's C of the probe; smaller is stronger."""


@dataclass(frozen=True)
class Design:
    """What stays the same at every point."""

    labels: np.ndarray
    """(n,) 1 for unsafe."""
    unit: np.ndarray
    """(n,) independent group of each prompt."""
    splits: list[Split]
    shuffles: int
    """Probes under shuffled labels, over all splits; the noise floor of d' takes all shuffles there are."""
    pairs: np.ndarray
    """(pairs, 2) indices: unsafe twin, safe twin."""
    c: float
    clusters: Clusters

    @property
    def folds(self) -> int:
        return min(int(split.fold.max()) + 1 for split in self.splits)

    @cached_property
    def groups(self) -> np.ndarray:
        """(n, groups) 1 where a prompt is in a group."""
        return np.eye(self.clusters.count)[self.clusters.member]

    @cached_property
    def shuffled(self) -> np.ndarray:
        """(draws, n) shuffled labels of all splits."""
        return np.vstack([split.shuffled for split in self.splits])

    @cached_property
    def key(self) -> str:
        """Digest of all that the numbers of one point depend on."""
        drawn = [array for split in self.splits for array in (split.fold, split.shuffled)]
        return content_key("design", self.labels, self.unit, *drawn, self.shuffles, self.pairs, self.c)


@computes("comparison", ComparisonSettings, version=4)
def comparison(context: Context, settings: ComparisonSettings) -> Outcome:
    """Compare the two classes at every point."""
    design = _design(context, settings)
    pooled = context.forward.pooled
    points: list[PointComparison] = []
    probes: list[RepeatedProbe] = []
    for index, vectors in enumerate(pooled):
        key = content_key("comparison", vectors, design.key)  # frozen layers give the same vectors all run long
        found = context.cache.once(key, lambda vectors=vectors: _compared(vectors, design))
        points.append(found[0])
        probes.append(found[1])
        context.progress(index + 1, len(pooled))
    scores = context.forward.scores.astype(float)
    unit = unit_of(context.probes, design.unit)
    explained = separation(scores, design.labels == 1, design.clusters, unit)
    controls = [point.control_p95 for point in points]
    splits = range(min(len(probe.of_splits) for probe in probes))
    by_split = [divergence([probe.of_splits[split].low for probe in probes], controls) for split in splits]
    result = ComparisonResult(
        to_explain=explained,
        layers=len(points) - 1,
        frozen_boundary=context.frozen_boundary,
        pooling=context.judge.anatomy.pooling,
        n_safe=int((design.labels == 0).sum()),
        n_unsafe=int((design.labels == 1).sum()),
        n_pairs=len(design.pairs),
        folds=design.folds,
        splits=settings.splits,
        shuffles=settings.shuffles,
        points=points,
        divergence_by_split=by_split,
        divergence_layer=agreed(by_split) if explained.claimable else None,
        decision_auroc=_decision_auroc(scores, design),
        notes=_notes(context, design, settings),
    )
    return Outcome(result, _summary(result), _tensors(points, pooled, design, probes))


def divergence(lows: Sequence[float], controls: Sequence[float]) -> int | None:
    """First of 2 consecutive points whose AUROC is above its control; -1: the embeddings, None: none.

    `lows` and `controls` by point: the lower end of the interval, the control's 95th percentile.
    """
    clear = [exceeds(low, control) for low, control in zip(lows, controls, strict=True)]
    return next((at - 1 for at, both in enumerate(pairwise(clear)) if all(both)), None)


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
    twins = {tuple(sorted(pair, key=lambda i: -labels[i])) for pair in twin_of(probes).items()}
    return Design(
        labels=labels,
        unit=unit,
        splits=splits_of(
            labels,
            unit,
            [probe.pair for probe in probes],
            min(settings.folds, fewest),
            settings.splits,
            max(settings.shuffles, NOISE_DRAWS),
            context.seed,
        ),
        shuffles=settings.shuffles,
        pairs=np.array(sorted(twins), dtype=int).reshape(-1, 2),
        c=settings.regularisation,
        clusters=Clusters(unit.tolist(), settings.bootstraps, context.seed),
    )


def _compared(vectors: np.ndarray, design: Design) -> tuple[PointComparison, RepeatedProbe]:
    """One point's comparison, and what its probe found in every split."""
    labels = design.labels
    probe = repeated_probe(vectors, labels, design.splits, design.shuffles, design.clusters, design.c)
    control = probe.control[np.isfinite(probe.control)]
    if probe.auroc is None or not len(control):
        raise CannotCompute(
            "No fold of the probe set holds both classes in its test and its training part; add prompts, or give "
            "fewer of them the same group."
        )
    gram = inner_products(vectors)
    apart = distance(gram, labels, design.groups)
    if apart is None:
        raise CannotCompute(
            "The prompts of each class have the same representation at some layer, so their distance has no scale; "
            "add more different prompts to the probe set."
        )
    noise = squared_distance(gram, design.shuffled, 1 - design.shuffled, design.groups)
    point = PointComparison(
        distance=apart,
        distance_noise=float(np.sqrt(max(0.0, np.nanquantile(noise, 0.95)))),
        cosine=cosine(vectors[labels == 1].mean(0), vectors[labels == 0].mean(0)),
        auroc=probe.auroc,
        auroc_of_splits=[one.value for one in probe.of_splits],
        control_mean=float(control.mean()),
        control_p95=float(np.quantile(control, 0.95)),
        pair_cosine=pair_cosine(vectors[design.pairs[:, 0]] - vectors[design.pairs[:, 1]]),
        pair_accuracy=_pair_accuracy(probe.decisions, design.pairs),
    )
    return point, probe


def _pair_accuracy(decision: np.ndarray, pairs: np.ndarray) -> Interval | None:
    """Twins are in one fold, so the same probes judge both; a tie is not right, nothing but ties says nothing."""
    margins = decision[pairs[:, 0]] - decision[pairs[:, 1]]
    margins = margins[np.isfinite(margins)]
    least = ROUNDING * float(np.nanmax(np.abs(decision)))
    if not (np.abs(margins) > least).any():
        return None
    return wilson_interval(int((margins > least).sum()), len(margins))


def _decision_auroc(scores: np.ndarray, design: Design) -> Interval:
    found = auroc(scores, design.labels)
    rarer = design.clusters.rarer(design.labels == 1)
    return design.clusters.share(found.value, found.influence, rarer)


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
    probes: list[RepeatedProbe],
) -> dict[str, np.ndarray]:
    intervals = [[point.auroc.value, point.auroc.low, point.auroc.high] for point in points]
    return {
        "auroc": np.array(intervals, dtype=np.float32),
        "control": np.array([probe.control for probe in probes], dtype=np.float32),
        "dprime": np.array([point.distance.value for point in points], dtype=np.float32),
        "mean_safe": pooled[:, design.labels == 0].mean(1).astype(np.float32),
        "mean_unsafe": pooled[:, design.labels == 1].mean(1).astype(np.float32),
        "decisions": np.array([probe.decisions for probe in probes], dtype=np.float32),
    }
