"""Which words an elite exchanges next: those whose exchange the judge's gradient promises most of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analyzer.attack.derivation import FIRST_EXCHANGE, derive
from analyzer.attack.exchanges import exchanges, possible
from analyzer.attack.seeds import Seed

TOGETHER = 2
"""Words that one child exchanges at once, at most; the further ones add nothing that is not really scored."""

Estimator = Callable[[Sequence[str], Sequence[Sequence[str]]], list[np.ndarray]]
"""(texts, variants of each) -> (variants,) first-order change of the score of each, nats (`gradients.py`)."""


class PickedWords:
    """The exchanges left of each elite that was asked for, the most promising first."""

    def __init__(self, estimator: Estimator, seeds: Sequence[Seed], sign: int) -> None:
        self._estimator, self._seeds, self._sign = estimator, seeds, sign
        self._left: dict[tuple[int, ...], tuple[np.ndarray, list[int]]] = {}
        self.steps = 0
        """Gradients taken."""

    def learn(self, vectors: Sequence[np.ndarray]) -> None:
        """Take the gradients of those elites that were not asked for yet, in one batch."""
        new = {key: vector for vector in vectors if (key := _key(vector)) not in self._left}
        texts, choices = [], []
        for vector in new.values():
            made = derive(vector, self._seeds)
            texts.append("" if made is None else made.text)
            choices.append([] if made is None else possible(made.text, made.seed))
        asked = [place for place, choice in enumerate(choices) if choice]
        found = self._estimator(
            [texts[place] for place in asked], [[text for _, text in choices[place]] for place in asked]
        )
        self.steps += len(asked)
        gains = dict(zip(asked, found, strict=True))
        for place, key in enumerate(new):
            bare = self._bare(new[key], texts[place])
            self._left[key] = bare, self._best(choices[place], gains.get(place, np.zeros(0)))

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

    def _bare(self, vector: np.ndarray, text: str) -> np.ndarray:
        """The vector without exchanges that do nothing here: their words went with another frame or seed."""
        bare = vector.copy()
        for place in range(FIRST_EXCHANGE, len(bare)):
            number, bare[place] = bare[place], 0
            made = derive(bare, self._seeds)
            if made is None or made.text != text:
                bare[place] = number
        return bare

    def _best(self, choice: Sequence[tuple[int, str]], changes: np.ndarray) -> list[int]:
        """Numbers of the exchanges that should turn the verdict further, the largest gain first."""
        gains = self._sign * changes
        return [choice[place][0] for place in np.argsort(-gains, kind="stable") if gains[place] > 0]


def _key(vector: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in vector)
