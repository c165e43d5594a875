"""Scores kept in parts, so that edges can be chosen on some prompts and tested on others, and drawn again.

A part is one independent group of prompts (contrast twins, prompts of one template). Where the graph is so large
that a score of each edge for each group takes too much memory, several groups share a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.statistics.folds import independent_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from shared.records import Probe

PART_BYTES = 256 * 2**20
"""Of all parts together."""
FEWEST_PARTS = 10
"""However large the graph is."""


@dataclass(frozen=True)
class PartScores:
    """Class-signed scores by part."""

    numbers: np.ndarray
    """(parts,) which part each is."""
    sums: np.ndarray
    """(parts, sources, targets) float32, or (parts, sources): summed over the part's prompts, nats."""
    prompts: np.ndarray
    """(parts,) prompts in each."""

    def of(self, chosen: np.ndarray) -> PartScores:
        """Only the parts whose numbers are in `chosen`."""
        inside = np.isin(self.numbers, chosen)
        return PartScores(self.numbers[inside], self.sums[inside], self.prompts[inside])

    @property
    def mean(self) -> np.ndarray:
        """Over prompts: (sources, targets) or (sources,) float32; NaN where there is no edge."""
        return (self.sums.sum(0, dtype=np.float64) / max(1, int(self.prompts.sum()))).astype(np.float32)


class PartSums:
    """Sums being made, on the host: part -> float32, as a part is a handful of prompts."""

    def __init__(self) -> None:
        self.sums: dict[int, np.ndarray] = {}
        self.prompts: dict[int, int] = {}

    def add(self, part: int, scores: Tensor, prompts: int) -> None:
        found = scores.float().cpu().numpy()
        self.sums[part] = self.sums[part] + found if part in self.sums else found.copy()
        self.prompts[part] = self.prompts.get(part, 0) + prompts

    def finished(self, allowed: np.ndarray | None = None) -> PartScores:
        """In the order of their numbers; NaN outside `allowed`."""
        numbers = sorted(self.sums)
        sums = np.stack([self.sums[part] for part in numbers])
        if allowed is not None:
            sums[:, ~allowed] = np.nan
        return PartScores(np.array(numbers), sums, np.array([self.prompts[part] for part in numbers]))


def together(one: PartScores, two: PartScores) -> PartScores:
    """Scores of other prompts added, part by part."""
    numbers = np.union1d(one.numbers, two.numbers)
    sums = np.zeros((len(numbers), *one.sums.shape[1:]), dtype=np.float32)
    prompts = np.zeros(len(numbers), dtype=int)
    for each in (one, two):
        at = np.searchsorted(numbers, each.numbers)
        sums[at] += each.sums
        prompts[at] += each.prompts
    return PartScores(numbers, sums, prompts)


def parts_of(probes: Sequence[Probe], edges: int) -> np.ndarray:
    """(n,) part of each prompt, for a graph of so many places; whatever order the prompts are in."""
    group = independent_groups(probes)
    first = [""] * (int(group.max()) + 1)
    for number, probe in zip(group.tolist(), probes, strict=True):
        first[number] = min(first[number] or probe.id, probe.id)
    rank = np.argsort(np.argsort(np.array(first)))
    return rank[group] % max(FEWEST_PARTS, PART_BYTES // (4 * edges))
