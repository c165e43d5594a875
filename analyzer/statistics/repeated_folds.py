"""A linear probe by repeated cross-validation: several splits into folds, each beside shuffled labels.

The AUROC of one split moves by up to 0.07 with the drawing of its folds. Published is the mean over splits. Its
interval holds the variance over prompts, and that of the splits `SPREAD` times: the mean hides it, but how far the
choice of prompts to fit on moves a probe is a part of what another probe set would give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.statistics.auroc import fold_auroc
from analyzer.statistics.folds import grouped_folds, shuffled_labels
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.linear_probe import held_out_decisions
from shared.findings.parts import Interval

SPREAD = 1.5
"""Times the variance between splits that the interval of their mean holds. By simulation at 16 and 24 groups, 8 and
64 dimensions, normal and lognormal: 0 covers 64-88 %, 1 covers 89-98 %, 1.5 covers 94-99 %
(`tests/analyzer/statistics/test_probe_coverage.py`)."""


@dataclass(frozen=True)
class Split:
    """One drawing of the folds, with the shuffled labels that go with it."""

    fold: np.ndarray
    """(n,)"""
    shuffled: np.ndarray
    """(draws, n)"""


@dataclass(frozen=True)
class RepeatedProbe:
    """What the probe finds in all splits."""

    auroc: Interval | None
    """Mean over splits; None where no fold holds both classes in test and training."""
    of_splits: list[Interval]
    """Of each split alone."""
    control: np.ndarray
    """(shuffles,) AUROC under shuffled labels, each in one split."""
    decisions: np.ndarray
    """(n,) held-out decision of each prompt, mean over splits; NaN where no probe was fitted."""


def splits_of(
    labels: np.ndarray, unit: np.ndarray, pairs: list[str | None], folds: int, splits: int, draws: int, seed: int
) -> list[Split]:
    """`splits` drawings of grouped folds, with `draws` shuffles of the labels shared out among them."""
    found = []
    for number in range(splits):
        own = seed + 1000 * number
        fold = np.unique(grouped_folds(labels, unit, folds, own), return_inverse=True)[1]
        share = draws // splits + (number < draws % splits)
        found.append(Split(fold, shuffled_labels(labels, fold, pairs, share, own)))
    return found


def repeated_probe(
    vectors: np.ndarray, labels: np.ndarray, splits: list[Split], shuffles: int, clusters: Clusters, c: float
) -> RepeatedProbe:
    """Fit and test the probe in every split, and `shuffles` times in all under shuffled labels.

    vectors (n, d), labels (n,) in {0, 1}, `c` as in `held_out_decisions`.
    """
    rarer = clusters.rarer(labels == 1)
    found, decisions, control = [], [], []
    for number, split in enumerate(splits):
        shuffled = split.shuffled[: shuffles // len(splits) + (number < shuffles % len(splits))]
        held_out = held_out_decisions(vectors, np.vstack([labels, shuffled]), split.fold, c)
        found.append(fold_auroc(held_out[0], labels, split.fold))
        decisions.append(held_out[0])
        control += [
            fold_auroc(one, drawn, split.fold).value for one, drawn in zip(held_out[1:], shuffled, strict=True)
        ]
    defined = [one for one in found if np.isfinite(one.value)]
    mean = None
    if defined:
        values = np.array([one.value for one in defined])
        influence = np.mean([one.influence for one in defined], axis=0)
        spread = SPREAD * float(values.var(ddof=1)) if len(values) > 1 else 0.0
        mean = clusters.share(float(values.mean()), influence, rarer, spread)
    return RepeatedProbe(
        mean,
        [clusters.share(one.value, one.influence, rarer) for one in defined],
        np.array(control),
        np.mean(decisions, axis=0),
    )
