"""Which heads are removed together: chosen on some prompts, so that they can be measured on others.

1. The strongest by either gradient, plain or integrated, by magnitude: in a judge that is sure of itself the plain
   one is 0 to rounding, and its sign is no more than noise.
2. Where these, removed together, lose less than `LITTLE` of the separation, every head is measured: set to its
   mean, and where twins align to its twin's value, each alone. The strongest by that and by the gradients take
   turns: units that stand in for each other lose nothing alone.
3. Of the strongest, those that are needed for the loss (`backward.needed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from analyzer.units.backward import needed
from analyzer.units.effects import Unit, strongest_units
from analyzer.units.removal import Removal

LITTLE = 0.2
"""Share of the separation below which the heads that gradients name explain too little."""


@dataclass(frozen=True)
class HeadChoice:
    """Of some prompts."""

    candidates: list[Unit]
    """The strongest, strongest first."""
    needed: list[Unit]
    """Those of them without which nearly all is lost that is lost without all."""
    measured: int
    """Heads that were measured one by one."""


@dataclass(frozen=True)
class HeadChooser:
    """Chooses on some of the prompts."""

    removal: Removal
    """Of the prompts that heads are removed on."""
    compared: Removal
    """Of the prompts that are compared with their references."""
    by_prompt: np.ndarray
    """(2, n, layers, heads) class-signed effects of the latter prompts, plain and integrated."""
    twins: bool
    """Whether the latter are aligned twins, side by side."""
    count: int
    """Heads that are removed together at most."""
    measured: int
    """Heads that are measured one by one at most."""

    def choose(self, rows: np.ndarray, compared: np.ndarray) -> HeadChoice:
        """From `rows` of `removal` and `compared` ones of the others, which are in the same groups."""
        strength = np.abs(self.by_prompt[:, compared].mean(1)).max(0)  # (layers, heads)
        candidates, measured = strongest_units(strength, self.count), 0
        whole = abs(float(self.removal.separation.of(rows).mean()))
        if not candidates or self._loss(rows, candidates) < LITTLE * whole:
            every = strongest_units(strength, self.measured, least=None)
            by_measure = strongest_units(self._measured(every, rows, compared), self.count)
            candidates, measured = in_turn(by_measure, candidates)[: self.count], len(every)
        return HeadChoice(candidates, needed(lambda units: self._loss(rows, units), candidates), measured)

    def _loss(self, rows: np.ndarray, units: Sequence[Unit]) -> float:
        """What is lost, positive whichever way the judge answers."""
        sign = np.sign(self.removal.explained.size.value)
        return float(sign * self.removal.lost([units], rows)[0].mean())

    def _measured(self, every: Sequence[Unit], rows: np.ndarray, compared: np.ndarray) -> np.ndarray:
        """(layers, heads) what is really lost without one alone, or with its twin's value."""
        found = np.abs(self.removal.lost([[unit] for unit in every], rows).mean(1))
        if self.twins:
            found = np.maximum(found, np.abs(self.compared.patched_lost(every, compared).mean(1)))
        strength = np.zeros(self.by_prompt.shape[2:])
        strength[tuple(np.array(every).T)] = found
        return strength


def in_turn(one: Sequence[Unit], other: Sequence[Unit]) -> list[Unit]:
    """Both lists interleaved, no unit twice."""
    return list(dict.fromkeys(unit for pair in zip_longest(one, other) for unit in pair if unit is not None))
