"""What a wrong verdict is compared with: the contrast twin, else the prompt that shares most words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from shared.prompts.twins import twin_of
from shared.records import Probe

LEAST_SHARED = 0.2
"""Share of common words below which no prompt is called near."""
MOST_COMPARED = 1_000_000
"""Pairs of prompts whose words are compared for a whole table; beyond it only that of the opened prompt is."""


class Near(NamedTuple):
    """A prompt beside another one."""

    index: int
    """In the probe set."""
    how: Literal["pair", "words"]
    """Its contrast twin; or of the other label and judged rightly, with the most words in common."""
    shared: float
    """Words that both hold / words that either holds (Jaccard), 0 to 1."""


class Twins:
    """The twins of one probe set, given which of its prompts are judged rightly."""

    def __init__(self, probes: Sequence[Probe], right: np.ndarray) -> None:
        self._probes, self._right = probes, right
        self._pairs = twin_of(probes)
        self._words = [words_of(probe.text) for probe in probes]

    def of(self, index: int, *, by_words: bool = True) -> Near | None:
        """The twin of one prompt; None where it has none and no other is near."""
        if index in self._pairs:
            twin = self._pairs[index]
            return Near(twin, "pair", jaccard(self._words[index], self._words[twin]))
        label, own = self._probes[index].label, self._words[index]
        if not by_words:
            return None
        others = [
            Near(place, "words", jaccard(own, words))
            for place, words in enumerate(self._words)
            if self._right[place] and self._probes[place].label != label
        ]
        best = max(others, key=lambda near: near.shared, default=None)
        return best if best is not None and best.shared >= LEAST_SHARED else None

    def of_all(self, indices: Sequence[int]) -> dict[int, Near | None]:
        """The twins of many; where their words are too many to compare, only contrast twins."""
        by_words = len(indices) * len(self._probes) <= MOST_COMPARED
        return {index: self.of(index, by_words=by_words) for index in indices}


def words_of(text: str) -> frozenset[str]:
    """The words of a text, whatever their case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Common words / all words of both; 0 without any."""
    return len(one & other) / len(one | other) if one | other else 0.0
