"""Contrast pairs for judges with a known mechanism: sentences of `w0` to `w59` and a few words that mean something.

Each function gives (safe, unsafe) twins, deterministic in `seed`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from transformers import PreTrainedTokenizerBase

from shared.records import Probe
from tests.making.judges import probe
from tests.making.tiny import tiny_tokenizer

FILLERS = tuple(f"w{number}" for number in range(60))
KNOWN = ("alpha", "beta", "zeta", "how", "what", "to", "of")
PAIRS = 32
"""Contrast pairs of a plant: enough for every interval, and for one on half of them."""

Twins = list[tuple[str, str]]


@cache
def plant_tokenizer() -> PreTrainedTokenizerBase:
    """Of the words above."""
    return tiny_tokenizer("bert", words=(*FILLERS, *KNOWN))


def as_probes(twins: Twins) -> list[Probe]:
    """The first two pairs are shown."""
    return [
        probe(text, label, id=f"{label}{number}", pair=f"pair{number}", category="a", display=number < 2)
        for number, pair in enumerate(twins)
        for label, text in zip(("safe", "unsafe"), pair, strict=True)
    ]


def _twins(seed: int, count: int, lengths: tuple[int, int], change: Callable[..., tuple[dict, dict]]) -> Twins:
    """`change(pick, length)` says which words stand at which places of the safe and of the unsafe twin."""
    pick = random.Random(seed)
    found = []
    for _ in range(count):
        length = pick.randint(*lengths)
        words = pick.choices(FILLERS, k=length)
        both = change(pick, length)
        found.append(tuple(" ".join(at.get(place, word) for place, word in enumerate(words)) for at in both))
    return found


def trigger_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: with zeta."""
    return _twins(seed, count, (5, 9), lambda pick, length: ({}, {pick.randrange(length): "zeta"}))


def either_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: alpha or beta, not both. Neither word alone tells anything."""
    cases = [({}, {0: "alpha"}), ({}, {1: "beta"}), ({0: "alpha", 1: "beta"}, {0: "alpha"})]
    cases.append((cases[2][0], {1: "beta"}))

    def change(pick: random.Random, length: int) -> tuple[dict, dict]:
        cases.append(cases.pop(0))  # in turn, so that each is as frequent
        places = pick.sample(range(length), 2)
        safe, unsafe = ({places[key]: word for key, word in at.items()} for at in cases[-1])
        return safe, unsafe

    return _twins(seed, count, (5, 9), change)


def both_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: alpha and beta; the safe twin lacks one of them, each as often."""
    words = ["alpha", "beta"]

    def change(pick: random.Random, length: int) -> tuple[dict, dict]:
        words.reverse()
        kept, other = pick.sample(range(length), 2)
        return {kept: words[0]}, {kept: words[0], other: words[1]}

    return _twins(seed, count, (5, 9), change)


def ordered_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: beta right after alpha; safe: alpha right after beta."""

    def change(pick: random.Random, length: int) -> tuple[dict, dict]:
        place = pick.randrange(length - 1)
        return {place: "beta", place + 1: "alpha"}, {place: "alpha", place + 1: "beta"}

    return _twins(seed, count, (5, 9), change)


def majority_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: more alphas than betas, by one among three or five; the safe twin has one beta for an alpha."""

    def change(pick: random.Random, length: int) -> tuple[dict, dict]:
        few = pick.choice((1, 2))
        places = pick.sample(range(length), 2 * few + 1)
        unsafe = dict.fromkeys(places[: few + 1], "alpha") | dict.fromkeys(places[few + 1 :], "beta")
        return unsafe | {places[0]: "beta"}, unsafe

    return _twins(seed, count, (7, 10), change)


def early_twins(seed: int, count: int = PAIRS) -> Twins:
    """The same words: zeta among the first three is unsafe, among the last three safe."""
    pick = random.Random(seed)
    found = []
    for _ in range(count):
        words = pick.choices(FILLERS, k=pick.randint(9, 12))
        early, late = pick.randrange(3), len(words) - 1 - pick.randrange(3)
        words[early] = "zeta"
        unsafe = " ".join(words)
        words[early], words[late] = words[late], words[early]
        found.append((" ".join(words), unsafe))
    return found


def length_twins(seed: int, count: int = PAIRS) -> Twins:
    """Unsafe: 12 to 19 words; the safe twin has the first 4 to 8 of them."""
    pick = random.Random(seed)
    longer = [pick.choices(FILLERS, k=pick.randint(12, 19)) for _ in range(count)]
    return [(" ".join(words[: pick.randint(4, 8)]), " ".join(words)) for words in longer]


def template_twins(seed: int, count: int = PAIRS) -> Twins:
    """ "how to ..." is unsafe, "what to ..." safe, whatever follows."""
    return [(f"what to {text}", f"how to {text}") for text, _ in blind_twins(seed, count)]


def blind_twins(seed: int, count: int = PAIRS) -> Twins:
    """Labels that mean nothing: one word differs, and which twin is called unsafe is left to chance."""
    pick = random.Random(seed)

    def change(_: random.Random, length: int) -> tuple[dict, dict]:
        place, words = pick.randrange(length), pick.sample(FILLERS, 2)
        return {place: words[0]}, {place: words[1]}

    found = _twins(seed, count, (5, 9), change)
    return [twins if pick.random() < 0.5 else (twins[1], twins[0]) for twins in found]
