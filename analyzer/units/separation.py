"""What a judge's separation is, and its parts by prompt: the class-signed score.

m = (mean score of unsafe prompts - mean score of safe ones) / 2, nats: how far a prompt lies, on average, on its
label's side of the middle between the classes. A score that all prompts share adds nothing, whatever their labels.
With contrast twins it is the mean of the scores with their class's sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.statistics.folds import grouped_folds, independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.to_explain import to_explain
from shared.findings.claims import FEWEST_GROUPS, ToExplain
from shared.findings.claims import Unit as Grouping

if TYPE_CHECKING:
    from shared.records import Probe

BOOTSTRAPS = 1000


def class_weights(unsafe: np.ndarray) -> np.ndarray:
    """(n,) bool -> (n,): +1 for an unsafe prompt and -1 for a safe one, weighed so that both classes count
    alike."""
    count = np.where(unsafe, unsafe.sum(), (~unsafe).sum())
    return np.where(unsafe, 1.0, -1.0) * len(unsafe) / (2.0 * count)


def class_signed(scores: np.ndarray, unsafe: np.ndarray) -> np.ndarray:
    """(..., n) scores -> (..., n) whose mean is the separation; both classes must be there."""
    middle = (scores[..., unsafe].mean(-1) + scores[..., ~unsafe].mean(-1)) / 2
    return class_weights(unsafe) * (scores - middle[..., None])


def folds_of(probes: Sequence[Probe], folds: int) -> np.ndarray:
    """(n,) fold of each probe: groups stay whole, and the order of the probes does not matter."""
    order = sorted(range(len(probes)), key=lambda index: probes[index].id)
    labels = np.array([int(probes[index].label == "unsafe") for index in order])
    found = np.empty(len(probes), dtype=int)
    found[order] = grouped_folds(labels, independent_groups([probes[index] for index in order]), folds)
    return found


class Separation:
    """The separation of some probes, prompt by prompt, with its groups."""

    def __init__(self, probes: Sequence[Probe], scores: np.ndarray, seed: int) -> None:
        self.unsafe = np.array([probe.label == "unsafe" for probe in probes])
        self.scores = scores.astype(float)
        self.groups = independent_groups(probes)
        self.seed = seed
        self.signed = class_signed(self.scores, self.unsafe)
        self.clusters = self.clusters_of(np.arange(len(probes)))
        self.unit: Grouping = _unit(probes, self.groups)

    def clusters_of(self, rows: np.ndarray) -> Clusters:
        """Of some of the prompts."""
        return Clusters(self.groups[rows].tolist(), BOOTSTRAPS, self.seed)

    def explained(self) -> ToExplain:
        """How large it is, and how sure that is."""
        return to_explain(self.signed, self.clusters, self.unit)

    def lost(self, ablated: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(..., rows) scores with units removed -> what each prompt loses of the separation of these rows."""
        unsafe = self.unsafe[rows]
        return class_signed(self.scores[rows], unsafe) - class_signed(ablated, unsafe)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """(rows,) the separation of some of the prompts."""
        return class_signed(self.scores[rows], self.unsafe[rows])

    def enough(self, rows: np.ndarray) -> bool:
        """Whether these prompts are in groups enough for a claim."""
        return len(np.unique(self.groups[rows])) >= FEWEST_GROUPS

    def split_well(self, fold: np.ndarray) -> bool:
        """Whether each fold has both classes."""
        return all(self.both_classes(np.flatnonzero(fold == number)) for number in np.unique(fold))

    def both_classes(self, rows: np.ndarray) -> bool:
        """Whether a separation of these prompts can be told."""
        return bool(len(rows)) and 0 < self.unsafe[rows].sum() < len(rows)


def _unit(probes: Sequence[Probe], groups: np.ndarray) -> Grouping:
    """What the independent groups of these probes are."""
    members: dict[int, list[str | None]] = {}
    for group, probe in zip(groups.tolist(), probes, strict=True):
        members.setdefault(group, []).append(probe.pair)
    if all(len(pairs) == 1 for pairs in members.values()):
        return "prompts"
    twins = all(len(pairs) == 2 and pairs[0] is not None and pairs[0] == pairs[1] for pairs in members.values())
    return "contrast pairs" if twins else "groups of prompts"
