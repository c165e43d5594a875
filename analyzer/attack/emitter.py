"""Emits derivations: a cell is drawn, then a new seed of its risk or its elite, changed in a place or two.

What frames and rules did so far is remembered: each is drawn by how much it moved the judge, the little tried ones
by the benefit of the doubt (an upper confidence bound, Auer et al. 2002). Seeds that the judge is less sure of are
drawn more often. Every draw comes from one generator, so the same seed emits the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ribs.archives import CategoricalArchive
from ribs.emitters import EmitterBase

from analyzer.attack.candidates import Candidates
from analyzer.attack.derivation import (
    FIRST_EXCHANGE,
    FIRST_RULE,
    FRAME,
    LENGTH,
    PICKS,
    SECOND,
    SEED,
    SLOTS,
    TECHNIQUE,
    slot_of,
)
from analyzer.attack.frames import techniques, usable
from analyzer.attack.gains import Gains
from analyzer.attack.picked import PickedWords
from analyzer.attack.rules import RULES

TRIES = 30
"""Draws for one place of a batch before it is given up: what was tried already is drawn again."""
EMPTY, RIGHT, WRONG = 8.0, 5.0, 1.0
"""Weights of a cell without an elite, with one that the judge gets right, and with a failure."""
ANEW = 0.3
"""Share of children that begin at a seed although there is an elite."""
PICKED = 0.3
"""Share of a batch whose words are exchanged as the judge's gradient says, once every cell holds a failure; less
before, in proportion, as other changes find first failures faster."""
NEAR = 0.25
"""Chance that of a risk's seeds the next one is passed over; the less sure the judge, the earlier they come."""


class DerivationEmitter(EmitterBase):
    """MAP-Elites over derivation vectors; `ask` gives (children, LENGTH) int32."""

    def __init__(
        self,
        archive: CategoricalArchive,
        candidates: Candidates,
        seed: int,
        batch: int,
        picked: PickedWords | None = None,
    ) -> None:
        low, high = np.zeros(LENGTH, dtype=np.int32), np.full(LENGTH, np.iinfo(np.int32).max, dtype=np.int32)
        EmitterBase.__init__(self, archive, solution_dim=LENGTH, bounds=None, lower_bounds=low, upper_bounds=high)
        self.candidates, self.batch, self.picked = candidates, batch, picked
        self.rng = np.random.default_rng(seed)
        self.frames, self.rules = Gains(), Gains()
        self.elites: dict[tuple[str, str], tuple[np.ndarray, float]] = {}

    def ask(self) -> np.ndarray:
        """New derivations, none of a text that was tried; fewer than a batch where nothing new is found."""
        children = [] if self.picked is None else self._exchanged(self.picked)
        left = self.batch - len(children)
        children += [child for _ in range(left) if (child := self._child()) is not None]
        return np.array(children, dtype=np.int32).reshape(-1, LENGTH)

    def tell(self, solution: Any, objective: Any, measures: Any, add_info: Any, **fields: Any) -> None:
        """Note what moved the judge, and the elites."""
        for vector, fitness, cell in zip(solution, objective, measures, strict=True):
            gain = float(fitness) - float(self.candidates.fitness[vector[SEED]])
            self.frames.note((int(vector[TECHNIQUE]), self._frame(vector)), gain)
            for slot in vector[FIRST_RULE:FIRST_EXCHANGE]:
                if slot:
                    self.rules.note(((int(slot) - 1) % len(RULES),), gain)
            key = (str(cell[0]), str(cell[1]))
            if key not in self.elites or fitness > self.elites[key][1]:
                self.elites[key] = (np.array(vector), float(fitness))

    def _child(self) -> np.ndarray | None:
        for _ in range(TRIES):
            risk, technique = self._cell()
            elite = self.elites.get((risk, technique))
            if elite is None or self.rng.random() < ANEW:
                child = self._anew(risk, techniques().index(technique))
            else:
                child = self._changed(elite[0].copy(), risk)
            if self.candidates.new(child) is not None:
                return child
        return None

    def _exchanged(self, picked: PickedWords) -> list[np.ndarray]:
        """Elites with words exchanged that the gradient picks; those judged rightly come first."""
        cells = list(self.elites)
        if not cells:
            return []
        weights = np.array([self._weight(cell) for cell in cells])
        broken = sum(fitness > 0 for _, fitness in self.elites.values()) / len(self.candidates.cells)
        count = min(round(PICKED * broken * self.batch), len(cells))
        drawn = self.rng.choice(len(cells), count, replace=False, p=weights / weights.sum())
        vectors = [self.elites[cells[place]][0] for place in drawn]
        picked.learn(vectors)
        found = [child for vector in vectors if (child := picked.next(vector)) is not None]
        return [child for child in found if self.candidates.new(child) is not None]

    def _cell(self) -> tuple[str, str]:
        cells = self.candidates.cells
        weights = np.array([self._weight(cell) for cell in cells])
        return cells[self.rng.choice(len(cells), p=weights / weights.sum())]

    def _weight(self, cell: tuple[str, str]) -> float:
        if cell not in self.elites:
            return EMPTY
        return WRONG if self.elites[cell][1] > 0 else RIGHT

    def _anew(self, risk: str, technique: int) -> np.ndarray:
        child = np.zeros(LENGTH, dtype=np.int32)
        child[SEED], child[TECHNIQUE] = self._seed(risk), technique
        child[FRAME] = self._drawn_frame(child)
        child[SECOND] = self.rng.integers(0, 12) if self.rng.random() < 0.5 else 0
        for slot in range(SLOTS):
            if self.rng.random() < 0.4:
                child[FIRST_RULE + slot] = self._drawn_rule()
        return child

    def _changed(self, child: np.ndarray, risk: str) -> np.ndarray:
        for _ in range(1 + int(self.rng.random() < 0.4)):
            draw = self.rng.random()
            if draw < 0.4:
                child[FIRST_RULE + self.rng.integers(SLOTS)] = self._drawn_rule() if self.rng.random() < 0.9 else 0
            elif draw < 0.55:
                child[FRAME] = self._drawn_frame(child)
            elif draw < 0.65:
                child[SECOND] = self.rng.integers(0, 12)
            elif draw < 0.85:
                child[SEED] = self._seed(risk)
            else:
                self._cross(child, risk)
        return child

    def _cross(self, child: np.ndarray, risk: str) -> None:
        """Frames, rules or the seed of another elite: of this technique, or of this risk."""
        technique = techniques()[child[TECHNIQUE]]
        others = [cell for cell in self.elites if (cell[0] == risk) != (cell[1] == technique)]
        if not others:
            return
        cell = others[self.rng.integers(len(others))]
        other = self.elites[cell][0]
        if cell[0] == risk:
            child[SEED] = other[SEED]
            child[FIRST_RULE:FIRST_EXCHANGE] = other[FIRST_RULE:FIRST_EXCHANGE]
        else:
            child[FRAME:] = other[FRAME:]

    def _seed(self, risk: str) -> int:
        places = self.candidates.by_risk[risk]
        return places[(int(self.rng.geometric(NEAR)) - 1) % len(places)]

    def _drawn_frame(self, child: np.ndarray) -> int:
        choice = self._choice(child)
        keys = [(int(child[TECHNIQUE]), frame.name) for frame in choice]
        return self.frames.draw(keys, self.rng) if keys else 0

    def _drawn_rule(self) -> int:
        rule = self.rules.draw([(place,) for place in range(len(RULES))], self.rng)
        return slot_of(rule, int(self.rng.integers(PICKS)))

    def _choice(self, vector: np.ndarray):
        seed = self.candidates.seeds[vector[SEED]]
        return usable(techniques()[vector[TECHNIQUE]], seed.kind, seed.asker_acts, False)

    def _frame(self, vector: np.ndarray) -> str:
        choice = self._choice(vector)
        return choice[int(vector[FRAME]) % len(choice)].name
