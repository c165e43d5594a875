"""Which edges come first: those that most resamples of the prompts put there, with the same sign.

1. The scores' parts (independent groups of prompts) are drawn again with replacement, and each draw's edges are
   ordered by whole paths (`masks.along_paths`).
2. An edge's confidence for a circuit of n edges is the share of the draws in which it is among the first n, with
   the sign of its mean score (arXiv 2510.25786, 2603.00523).
3. A circuit of n edges is the n that come first by that confidence, again by whole paths; equal ones by their mean.

On a MiniLM judge, edges chosen on 24 pairs and run on 88 others keep 8 % and 27 % of the separation at a tenth and
a fifth of the graph, those with the largest mean scores -8 % and 13 %; asking for one sign in 75 to 95 % of the
draws and then going by the mean does worse than either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.circuits.masks import along_paths, mask_of_first
from analyzer.patching.parts import PartScores

DRAW_CELLS = 40_000_000
"""Edges x resamples that are looked at, at most: fewer draws of very large graphs."""
FEWEST_DRAWS = 20
TIE = 1e-3
"""Weight of the mean scores, whose largest is 1, beside the confidence: less than one draw's."""


@dataclass
class Choice:
    """Edges (or nodes) chosen on some parts."""

    scores: PartScores
    orientation: float
    """+1, or -1 for a judge that answers the other way: its edges are those that carry the wrong verdict."""
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        parts, size = len(self.scores.numbers), self.scores.sums[0].size
        random = np.random.default_rng([self.seed, parts])
        self.draws = max(FEWEST_DRAWS, min(self.resamples, DRAW_CELLS // size))
        weights = random.multinomial(parts, np.full(parts, 1 / parts), size=self.draws).astype(np.float32)
        self.mean = self.scores.mean * self.orientation
        self.place = np.full((self.draws, size), size, dtype=np.int32)
        for row, draw in zip(self.place, weights, strict=True):
            self._order(row, draw)

    def _order(self, row: np.ndarray, draw: np.ndarray) -> None:
        """Write each edge's place in one draw; of those with another sign than the mean's, behind all."""
        scores = np.tensordot(draw, self.scores.sums, 1) * np.float32(self.orientation)
        order = along_paths(scores, signed=True)
        row[order] = np.arange(len(order))
        row[np.sign(scores.ravel()) != np.sign(self.mean.ravel())] = row.size

    def confidence(self, count: int) -> np.ndarray:
        """Share of draws in which each edge is among the first `count`, with the sign of its mean score."""
        return (self.place < count).mean(0).reshape(self.mean.shape)

    def circuit(self, count: int) -> np.ndarray:
        """Mask of the `count` edges that come first."""
        largest = float(np.nanmax(np.abs(self.mean), initial=0.0)) or 1.0
        strength = self.confidence(count) * np.sign(self.mean) + TIE * self.mean / largest
        return mask_of_first(along_paths(strength, signed=True), count, self.mean.shape)
