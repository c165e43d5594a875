"""How a text is made of a seed: a vector of whole numbers, from which the same text always follows.

Its places: seed, technique, frame, second frame, `SLOTS` rules, and `EXCHANGES` exchanges of words. A frame is
counted among those that the seed can take, round and round; the second one is 0 for none, and stands on the seed's
other side. A rule is 0 for none, else `1 + rule + len(RULES) * pick`; an exchange is 0 for none, else its number
(`exchanges.py`). A vector may end after its rules: then nothing is exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.attack.exchanges import NAME, exchanged
from analyzer.attack.frames import Frame, techniques, usable
from analyzer.attack.rules import RULES, Rule, apply
from analyzer.attack.seeds import Seed

SLOTS = 6
SEED, TECHNIQUE, FRAME, SECOND, FIRST_RULE = 0, 1, 2, 3, 4
EXCHANGES = 3
FIRST_EXCHANGE = FIRST_RULE + SLOTS
LENGTH = FIRST_EXCHANGE + EXCHANGES
MOST_OF_ONE = 2
"""Times that one rule may change a text: more makes it hard to read, and the label with it."""
PICKS = 1 << 12
"""Different numbers a rule is given."""


@dataclass(frozen=True)
class Derivation:
    """What a vector means, and the text that it makes."""

    seed: Seed
    technique: str
    frames: tuple[Frame, ...]
    rules: tuple[str, ...]
    """Names of the rules that changed something, in their order."""
    text: str


def derive(vector: Sequence[int] | np.ndarray, seeds: Sequence[Seed], held_out: bool = False) -> Derivation | None:
    """What a vector makes of its seed; None where the technique has no frame that would keep the seed's label.

    `held_out` takes the frames that no search uses.
    """
    place, technique, *_ = (int(value) for value in vector)
    seed, name = seeds[place % len(seeds)], techniques()[technique % len(techniques())]
    frames = _frames(vector, usable(name, seed.kind, seed.asker_acts, held_out))
    if not frames:
        return None
    slots = sorted(
        {int(value) - 1 for value in vector[FIRST_RULE:FIRST_EXCHANGE] if value}, key=lambda slot: _order(slot)
    )
    text, done = _ruled(seed.text, seed.protected, [slot for slot in slots if not _rule(slot).whole])
    for frame in frames:
        text = frame.around(text)
    text, more = _ruled(text, frozenset(), [slot for slot in slots if _rule(slot).whole])
    text, last = _exchanged(text, seed, [int(value) for value in vector[FIRST_EXCHANGE:]])
    return Derivation(seed, name, frames, (*done, *more, *last), text)


def slot_of(rule: int, pick: int) -> int:
    """The number of a rule in a vector."""
    return 1 + rule + len(RULES) * pick


def _frames(vector: Sequence[int] | np.ndarray, choice: tuple[Frame, ...]) -> tuple[Frame, ...]:
    if not choice:
        return ()
    first = choice[int(vector[FRAME]) % len(choice)]
    if not vector[SECOND]:
        return (first,)
    others = [frame for frame in choice if (frame.behind and first.before) or (frame.before and first.behind)]
    return (first, others[(int(vector[SECOND]) - 1) % len(others)]) if others else (first,)


def _ruled(text: str, protected: frozenset[str], slots: Sequence[int]) -> tuple[str, list[str]]:
    names: list[str] = []
    for slot in slots:
        if names.count(_rule(slot).name) == MOST_OF_ONE:
            continue
        changed = apply(_rule(slot), text, protected, slot // len(RULES))
        if changed != text:
            text = changed
            names.append(_rule(slot).name)
    return text, names


def _exchanged(text: str, seed: Seed, numbers: Sequence[int]) -> tuple[str, list[str]]:
    names = []
    for number in numbers:
        changed = exchanged(text, number, seed)
        if changed != text:
            text = changed
            names.append(NAME)
    return text, names


def _rule(slot: int) -> Rule:
    return RULES[slot % len(RULES)]


def _order(slot: int) -> tuple[int, int]:
    return slot % len(RULES), slot
