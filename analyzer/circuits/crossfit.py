"""Circuits chosen on some prompts and run on others: what is chosen on the prompts it is tested on flatters itself.

1. The prompts' parts (independent groups: a pair, a template) are dealt into folds.
2. For each fold, edges are ordered by the scores of all other folds (`choice`), and the circuits run on this one.
3. The scores of all folds are pooled, so that every prompt counts once, in a circuit that has not seen it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analyzer.circuits.choice import Choice
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import random_masks
from analyzer.patching.parts import PartScores
from analyzer.statistics.folds import grouped_folds
from shared.findings.claims import FEWEST_GROUPS

Masks = list[np.ndarray]


@dataclass
class CrossFit:
    """Folds of an evaluator's prompts, and the edges chosen for each."""

    evaluator: CircuitEvaluator
    scores: PartScores
    parts: np.ndarray
    """(probes,) part of each prompt."""
    folds: int
    resamples: int
    seed: int

    @cached_property
    def part(self) -> np.ndarray:
        """(n,) part of each prompt that is run."""
        return self.parts[self.evaluator.references.indices]

    @cached_property
    def fold(self) -> np.ndarray:
        """(n,) fold of each prompt that is run."""
        unit = np.unique(self.part, return_inverse=True)[1]
        labels = (self.evaluator.references.sign > 0).astype(int)
        return grouped_folds(labels, unit, min(self.folds, int(unit.max()) + 1))

    @property
    def orientation(self) -> float:
        return -1.0 if self.evaluator.full < 0 else 1.0

    @cached_property
    def chosen_elsewhere(self) -> list[Choice]:
        """For each fold, the edges as the other folds' prompts (and those that are not run) order them."""
        found = []
        for number in range(int(self.fold.max()) + 1):
            inside = np.unique(self.part[self.fold == number])
            scores = self.scores.of(np.setdiff1d(self.scores.numbers, inside))
            found.append(Choice(scores, self.orientation, self.resamples, self.seed))
        return found

    @cached_property
    def chosen(self) -> Choice:
        """The edges as all prompts order them."""
        return Choice(self.scores, self.orientation, self.resamples, self.seed)

    def pooled(self, masks: Callable[[Choice, int], Masks], positions: np.ndarray | None = None) -> np.ndarray:
        """(masks, n) scores of circuits made of each fold's choice and number, run on that fold.

        Or (masks, positions) of these prompts alone, in their order: whole groups.
        """
        at = self.every if positions is None else np.sort(positions)
        found = []
        for number, choice in enumerate(self.chosen_elsewhere):
            here = at[self.fold[at] == number]
            if len(here):
                found.append((here, self.evaluator.scores(masks(choice, number), here)))
        pooled = np.empty((len(found[0][1]), len(self.fold)))
        for here, scores in found:
            pooled[:, here] = scores
        return pooled[:, at]

    @cached_property
    def every(self) -> np.ndarray:
        """(n,) all positions."""
        return np.arange(len(self.fold))

    def of_few_folds(self, prompts: int) -> np.ndarray:
        """Positions of at most `prompts` prompts, those of the first folds that hold so many."""
        return np.sort(np.argsort(self.fold, kind="stable")[:prompts])

    def of_all_folds(self, prompts: int) -> np.ndarray:
        """Positions of at most `prompts` prompts, the folds in turn: whole parts, enough of them for a claim."""
        first, sizes = np.unique(self.part, return_index=True, return_counts=True)[1:]
        turn = np.zeros(len(first), dtype=int)
        for number in range(int(self.fold.max()) + 1):
            inside = np.flatnonzero(self.fold[first] == number)
            turn[inside[np.argsort(first[inside])]] = np.arange(len(inside))
        order = np.lexsort((self.fold[first], turn))
        taken = order[(np.cumsum(sizes[order]) <= prompts) | (np.arange(len(order)) < FEWEST_GROUPS)]
        return np.flatnonzero(np.isin(self.part, self.part[first[taken]]))

    def of_sizes(self, counts: Sequence[int], at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(sizes, positions) scores of the best so many edges, and of as many random ones, others in each fold."""

        def masks(choice: Choice, number: int) -> Masks:
            return [choice.circuit(count) for count in counts] + self._random(counts, choice, number)

        scores = self.pooled(masks, at)
        return scores[: len(counts)], scores[len(counts) :]

    def of_size(self, count: int, at: np.ndarray | None = None) -> np.ndarray:
        """(n,) scores of the best so many edges, or (positions,)."""
        return self.pooled(lambda choice, _: [choice.circuit(count)], at)[0]

    def random_of_size(self, count: int) -> np.ndarray:
        """(n,) scores of so many random edges, other ones in each fold."""
        return self.pooled(lambda choice, number: self._random([count], choice, number))[0]

    def everywhere(self, mask: np.ndarray) -> np.ndarray:
        """(n,) scores of one and the same circuit, whichever prompts chose it."""
        return self.pooled(lambda *_: [mask])[0]

    def _random(self, counts: Sequence[int], choice: Choice, number: int) -> Masks:
        random = np.random.default_rng([self.seed, number])
        return [random_masks(choice.mean, count, 1, random)[0] for count in counts]

    def shares(self, scores: np.ndarray, at: np.ndarray) -> list[float]:
        """Share of the separation that the scores at these positions keep: of all prompts fold by fold, of few
        pooled, as a fold has too few of them to divide by what they separate."""
        sign, whole = self.evaluator.references.sign[at], len(at) == len(self.fold)
        signed, full, fold = sign * scores, sign * self.evaluator.clean[at], self.fold[at]
        inside = [fold == number for number in range(int(fold.max()) + 1)] if whole else [fold >= 0]
        found = [(float(signed[rows].mean()), float(full[rows].mean())) for rows in inside]
        return [part / all_ for part, all_ in found if abs(all_) > 0]

    def faithfulness(self, scores: np.ndarray, at: np.ndarray) -> float:
        """f of the scores at these positions; NaN where there is nothing to keep."""
        sign, evaluator = self.evaluator.references.sign[at], self.evaluator
        found, full, empty = (
            float((sign * each).mean()) for each in (scores, evaluator.clean[at], evaluator.corrupted[at])
        )
        return (found - empty) / (full - empty) if full != empty else math.nan
