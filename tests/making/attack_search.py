"""Seeds, and a judge that is a function, for tests of the search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from analyzer.attack.candidates import Candidates
from analyzer.attack.search import Search, wrongness
from analyzer.attack.seeds import Seed, choose_seeds
from shared.prompts.load import load_prompts
from shared.records import Label

SEEDS = choose_seeds(load_prompts("shipped"))[::6]


def by_hash(texts: Sequence[str]) -> np.ndarray:
    """A score for each text: the longer the safer, and a little chance that is the same each time."""
    chance = [int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) / 2**24 for text in texts]
    return np.array([2.0 - len(text) / 80 + each for text, each in zip(texts, chance, strict=True)], np.float32)


def candidates(label: Label = "unsafe") -> Candidates:
    """The seeds of one label that `by_hash` gets right."""
    own = [seed for seed in SEEDS if seed.label == label]
    wrong = wrongness(by_hash([seed.text for seed in own]), label)
    right = [place for place in range(len(own)) if wrong[place] < 0]
    return Candidates([own[place] for place in right], wrong[right])


def searched(budget: int, seed: int = 0, scorer=by_hash, batch: int = 32) -> Search:
    """A search from unsafe seeds."""
    search = Search(candidates(), "unsafe", scorer, seed, batch)
    search.run(budget)
    return search


def of_label(label: Label) -> list[Seed]:
    return [seed for seed in SEEDS if seed.label == label]
