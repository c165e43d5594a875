"""Which size of circuit can be claimed: every size run on some prompts, and what the headline names on all.

1. Circuits of MIB's sizes, and random ones of as many edges, are run on some prompts of every fold: the curve.
   Sizes between the first that keeps enough there and the one before are tried, halving on a log scale.
2. From the smallest of them on each is run on all prompts, until one keeps enough on these. It is claimed where,
   on all, it is clear of 0 and of random circuits, and where a decoder reads the words itself, of what is left
   without any edge.
3. Where none can be claimed, the best part is run on all, and the page says of it why it is no circuit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.circuits.masks import area, circuit_sizes, nodes_on, on_paths
from analyzer.circuits.mib import Mib, mib
from shared.findings.circuits import CurvePoint, SmallestCircuit

if TYPE_CHECKING:
    from analyzer.circuits.crossfit import CrossFit
    from shared.findings.parts import Interval

HALVINGS = 2
"""Sizes that are tried between two of MIB's: the smallest circuit is known to a fifth of its size."""


def to_keep(share: float, left: Interval | None) -> float:
    """The share of the separation that a circuit has to keep, of which `left` is there without any edge: that, and
    `share` of the rest."""
    return share if left is None else share + (1 - share) * max(0.0, left.value)


class Limits(NamedTuple):
    """What is asked for."""

    keep: float
    """Share of the separation that the smallest circuit keeps."""
    search_prompts: int
    """Prompts that circuits of every size are run on, at most."""
    mib_prompts: int
    """Prompts that MIB's curves are run on, at most."""


@dataclass
class RunCircuits:
    """What is published of circuits; nothing is where nothing is to be explained."""

    curve: list[CurvePoint] = field(default_factory=list)
    n_curve: int = 0
    """Prompts behind it, but for sizes that were run on all."""
    mib: Mib = field(default_factory=lambda: Mib([], None, None))
    random_cpr: float | None = None
    smallest: SmallestCircuit | None = None
    mask: np.ndarray | None = None


def run_circuits(fit: CrossFit, total: int, limits: Limits) -> RunCircuits:
    """Every circuit that is run but the checks of single edges."""
    runs = _Runs(fit, total, limits.keep, fit.of_all_folds(limits.search_prompts))
    curve, by_chance = runs.curve(circuit_sizes(total))
    if not curve and len(runs.at) < len(fit.every):
        runs = _Runs(fit, total, limits.keep, fit.every)
        curve, by_chance = runs.curve(circuit_sizes(total))
    if not curve:  # an interval without an end: the separation itself may be 0
        return RunCircuits()
    claimed, sure = runs.claimed(curve)
    smallest, mask = (None, None) if claimed is None else _drawn(fit, claimed, total)
    fractions = np.array([0.0, *(point.fraction for point in curve)])
    return RunCircuits(
        [sure.get(point.edges, point) for point in curve],
        len(runs.at),
        mib(fit, total, limits.mib_prompts),
        area(fractions, np.array([0.0, *by_chance])) if np.isfinite(by_chance).all() else None,
        smallest,
        mask,
    )


@dataclass
class _Runs:
    """Circuits of one judge, run on some prompts or on all."""

    fit: CrossFit
    total: int
    keep: float
    at: np.ndarray
    """Positions of the prompts that every size is run on."""
    own: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """Edges and number of prompts -> scores of the best so many."""

    def curve(self, counts: Sequence[int]) -> tuple[list[CurvePoint], list[float]]:
        """A point for every size, and f of its random circuits; none where a share of what these prompts separate
        cannot be told."""
        own, random = self.fit.of_sizes(counts, self.at)
        self.own |= {(count, len(self.at)): scores for count, scores in zip(counts, own, strict=True)}
        points = [self._point(*each, self.at) for each in zip(counts, own, random, strict=True)]
        known = [point for point in points if point is not None]
        by_chance = [self.fit.faithfulness(each, self.at) for each in random]
        return (known if len(known) == len(counts) else []), by_chance

    def claimed(self, curve: Sequence[CurvePoint]) -> tuple[CurvePoint | None, dict[int, CurvePoint]]:
        """The size that is claimed, None where none can be; and by their edges the sizes that were run on all."""
        sizes = {point.edges for point in curve}
        sure = {point.edges: point for point in curve if point.n == len(self.fit.every)}
        for edges in self._candidates(curve):
            if self._keeps_enough(edges, self.fit.every):
                point = self._on_all(edges, sure)
                if self._claimable(point):
                    return point, sure
                break
            if edges in sizes:  # where the curve says otherwise
                self._on_all(edges, sure)
        found = {point.edges: sure.get(point.edges, point) for point in curve if point.edges < self.total}
        while best := max(found.values(), key=lambda point: point.kept.value, default=None):
            if best.n == len(self.fit.every):
                return (best if self._claimable(best) else None), sure
            point = self._on_all(best.edges, sure)
            if point is None:
                break
            found[best.edges] = point
        return None, sure

    def _candidates(self, curve: Sequence[CurvePoint]) -> list[int]:
        """The smallest size found that keeps enough on the curve's prompts, by halving on a log scale, and on from
        there those that were tried."""
        parts = [point.edges for point in curve if point.edges < self.total]
        first = next((place for place, point in enumerate(curve) if point.kept.value >= self.keep), len(parts))
        if first >= len(parts):
            return []
        low, enough, found = (parts[first - 1] if first else 0), parts[first], parts[first:]
        for _ in range(HALVINGS):
            middle = round(np.sqrt(max(low, 1) * enough))
            if not low < middle < enough:
                break
            if self._keeps_enough(middle, self.at):
                enough, found = middle, [middle, *found]
            else:
                low = middle
        return found

    def _claimable(self, point: CurvePoint | None) -> bool:
        return point is not None and point.kept.value >= self.keep and point.beats_random and point.beats_none

    def _keeps_enough(self, edges: int, at: np.ndarray) -> bool:
        kept = self.fit.evaluator.kept(self._scores(edges, at), at=at)
        return kept is not None and kept.value >= self.keep

    def _scores(self, edges: int, at: np.ndarray) -> np.ndarray:
        """(positions,) of the best so many edges."""
        if (edges, len(at)) not in self.own:
            self.own[edges, len(at)] = self.fit.of_size(edges, at)
        return self.own[edges, len(at)]

    def _on_all(self, edges: int, sure: dict[int, CurvePoint]) -> CurvePoint | None:
        """Noted among those that are `sure`; None where no share can be told."""
        if edges not in sure:
            point = self._point(
                edges, self._scores(edges, self.fit.every), self.fit.random_of_size(edges), self.fit.every
            )
            sure |= {} if point is None else {edges: point}
        return sure.get(edges)

    def _point(self, count: int, own: np.ndarray, random: np.ndarray, at: np.ndarray) -> CurvePoint | None:
        """Scores of circuits of `count` edges, and of random ones, at some positions."""
        whole, evaluator = count == self.total, self.fit.evaluator
        share = evaluator.kept(own, at=at)
        above = None if whole else evaluator.kept(own, random, at)
        if share is None or (above is None and not whole):
            return None
        left = evaluator.judge.anatomy.words_beside
        return CurvePoint(
            fraction=count / self.total,
            edges=count,
            n=len(at),
            kept=share,
            random=[] if whole else self.fit.shares(random, at),
            above_random=above,
            above_left=evaluator.kept(own, evaluator.corrupted[at], at) if left else None,
        )


def _drawn(fit: CrossFit, claimed: CurvePoint, total: int) -> tuple[SmallestCircuit, np.ndarray]:
    """The circuit of that size that all prompts choose, with what is claimed; and its mask."""
    evaluator = fit.evaluator
    assert claimed.above_random is not None  # noqa: S101 (it beats the random ones)
    mask = fit.chosen.circuit(claimed.edges)
    mask = on_paths(mask, evaluator.graph) if evaluator.by_edges else mask
    smallest = SmallestCircuit(
        edges=int(mask.sum()),
        fraction=int(mask.sum()) / total,
        kept=claimed.kept,
        faithfulness=(claimed.kept.value * evaluator.full - evaluator.empty) / (evaluator.full - evaluator.empty),
        in_sample=evaluator.told(fit.everywhere(mask)).kept,
        nodes=nodes_on(mask) if evaluator.by_edges else int(mask[1:].sum()),
        random=claimed.random,
        above_random=claimed.above_random,
    )
    return smallest, mask
