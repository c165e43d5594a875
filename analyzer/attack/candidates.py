"""What an emitter draws from: the seeds of one direction, by risk, and the texts that were tried."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzer.attack.derivation import Derivation, derive
from analyzer.attack.frames import techniques
from analyzer.attack.seeds import Seed


@dataclass
class Candidates:
    """Seeds that the judge gets right, all of one label, and what was made of them so far."""

    seeds: Sequence[Seed]
    fitness: np.ndarray
    """(seeds,) how sure the judge is of the wrong verdict, nats: below 0 for each, since it is right."""
    tried: set[str] = field(default_factory=set)
    """Texts as `same` folds them."""

    def __post_init__(self) -> None:
        self.tried |= {same(seed.text) for seed in self.seeds}  # a seed as it is is no attack
        places: dict[str, list[int]] = {}
        for place in np.argsort(-self.fitness, kind="stable"):
            places.setdefault(self.seeds[place].risk, []).append(int(place))
        self.by_risk = places
        """Risk -> places of its seeds, the least sure first."""

    @property
    def risks(self) -> list[str]:
        return sorted(self.by_risk)

    @property
    def cells(self) -> list[tuple[str, str]]:
        """(risk, technique): every cell of the archive."""
        return [(risk, technique) for risk in self.risks for technique in techniques()]

    def new(self, vector: np.ndarray) -> Derivation | None:
        """What a vector makes, noted as tried; None where its label would not be kept, or the text is not new."""
        found = derive(vector, self.seeds)
        if found is None or (text := same(found.text)) in self.tried:
            return None
        self.tried.add(text)
        return found

    def untried(self, text: str) -> bool:
        """Whether a text is new; it counts as tried from now on."""
        new = same(text) not in self.tried
        self.tried.add(same(text))
        return new


def same(text: str) -> str:
    """A text by which repetitions are known: without case, marks and spaces."""
    return re.sub(r"[\W_]+", "", text.lower())
