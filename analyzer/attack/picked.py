"""Which words an elite exchanges next: those whose exchange the judge's gradient promises most of.

A gradient costs several evaluations, so what it says of an exchange is remembered: an elite of whose exchanges at
least half were estimated before, in this text or others, is changed by the means of those; any other by its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analyzer.attack.derivation import FIRST_EXCHANGE, derive
from analyzer.attack.exchanges import exchanges, possible
from analyzer.attack.seeds import Seed

TOGETHER = 3
"""Words that one child exchanges at once, at most."""

Estimator = Callable[[Sequence[str], Sequence[Sequence[str]]], list[np.ndarray]]
"""(texts, variants of each) -> (variants,) first-order change of the score of each, nats (`gradients.py`)."""


class PickedWords:
    """The exchanges left of each elite that was asked for, the most promising first."""

    def __init__(self, estimator: Estimator, seeds: Sequence[Seed], sign: int) -> None:
        self._estimator, self._seeds, self._sign = estimator, seeds, sign
        self._left: dict[tuple[int, ...], tuple[np.ndarray, list[int]]] = {}
        self._gains: dict[int, list[float]] = {}
        self.steps = 0
        """Gradients taken."""

    def learn(self, vectors: Sequence[np.ndarray]) -> None:
        """Rank the exchanges of those elites that were not asked for yet; where one is not known, by a gradient."""
        new = {key: vector for vector in vectors if (key := _key(vector)) not in self._left}
        made = {key: derive(vector, self._seeds) for key, vector in new.items()}
        choices = {key: [] if one is None else possible(one.text, one.seed) for key, one in made.items()}
        texts = {key: "" if one is None else one.text for key, one in made.items()}
        unknown = [key for key in new if self._is_new([number for number, _ in choices[key]])]
        variants = [[text for _, text in choices[key]] for key in unknown]
        changes = self._estimator([texts[key] for key in unknown], variants) if unknown else []
        self.steps += len(unknown)
        for key, found in zip(unknown, changes, strict=True):
            for (number, _), change in zip(choices[key], found, strict=True):
                self._gains.setdefault(number, []).append(self._sign * float(change))
        own = {key: self._sign * found for key, found in zip(unknown, changes, strict=True)}
        for key, vector in new.items():
            numbers = [number for number, _ in choices[key] if number in self._gains]
            gains = own.get(key, np.array([np.mean(self._gains[number]) for number in numbers]))
            self._left[key] = self._bare(vector, texts[key]), _best(numbers, gains)

    def next(self, vector: np.ndarray) -> np.ndarray | None:
        """The elite with its most promising words exchanged; None where no exchange promises anything more."""
        bare, left = self._left[_key(vector)]
        free = [place for place in range(FIRST_EXCHANGE, len(bare)) if not bare[place]]
        if not free or not left:
            return None
        child, phrases = bare.copy(), set()
        for number in [*left]:
            phrase = exchanges()[number - 1].phrase
            if free and len(phrases) < TOGETHER and phrase not in phrases:
                child[free.pop(0)] = number
                phrases.add(phrase)
                left.remove(number)
        return child

    def _is_new(self, numbers: Sequence[int]) -> bool:
        """Whether less than half of an elite's exchanges were estimated before."""
        return sum(number in self._gains for number in numbers) < len(numbers) / 2

    def _bare(self, vector: np.ndarray, text: str) -> np.ndarray:
        """The vector without exchanges that do nothing here: their words went with another frame or seed."""
        bare = vector.copy()
        for place in range(FIRST_EXCHANGE, len(bare)):
            number, bare[place] = bare[place], 0
            made = derive(bare, self._seeds)
            if made is None or made.text != text:
                bare[place] = number
        return bare


def _best(numbers: Sequence[int], gains: np.ndarray) -> list[int]:
    """The exchanges that should turn the verdict further, the largest gain first."""
    return [numbers[place] for place in np.argsort(-gains, kind="stable") if gains[place] > 0]


def _key(vector: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in vector)
