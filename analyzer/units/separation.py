"""The separation of some prompts (`statistics/separation.py`), prompt by prompt, and what is lost of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyzer.statistics.folds import grouped_folds, independent_groups
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.separation import class_signed, unit_of
from analyzer.statistics.to_explain import to_explain
from shared.findings.claims import FEWEST_GROUPS, ToExplain
from shared.findings.claims import Unit as Grouping

if TYPE_CHECKING:
    from shared.records import Probe

BOOTSTRAPS = 1000


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
        self.unit: Grouping = unit_of(probes, self.groups)

    def clusters_of(self, rows: np.ndarray) -> Clusters:
        """Of some of the prompts."""
        return Clusters(self.groups[rows].tolist(), BOOTSTRAPS, self.seed)

    def explained(self) -> ToExplain:
        """How large it is, and how sure that is."""
        return to_explain(self.signed, self.clusters, self.unit, self.clusters.rarer(self.unsafe))

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

    def split_well(self, fold: np.ndarray, folds: int) -> bool:
        """Whether each of so many folds has both classes; one may have none of these prompts."""
        return all(self.both_classes(np.flatnonzero(fold == number)) for number in range(folds))

    def both_classes(self, rows: np.ndarray) -> bool:
        """Whether a separation of these prompts can be told."""
        return bool(len(rows)) and 0 < self.unsafe[rows].sum() < len(rows)
