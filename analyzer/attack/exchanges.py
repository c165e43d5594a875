"""Words that may stand in another's place without touching what is asked for: the closed lists of `exchange`.

Two lists: synonyms of little weight (`words.yaml`), exchanged anywhere outside fixed phrases, and things that a
frame or an aside mentions in passing (`context.yaml`), exchanged outside the seed only. Neither touches a protected
word. An exchange has a number, its place among all of them from 1 on, so that a derivation can name it; at a text
that has not its words it does nothing. Which of them a search tries, the judge's gradient says (`gradients.py`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from analyzer.attack.rules import cased, occurrences, put
from analyzer.attack.seeds import Seed
from analyzer.attack.words import word_lists

NAME = "picked word"
"""What the lineage calls an exchange."""


LITTLE = frozenset(
    [
        "a",
        "about",
        "all",
        "an",
        "and",
        "are",
        "around",
        "as",
        "at",
        "be",
        "by",
        "can",
        "down",
        "for",
        "from",
        "have",
        "i",
        "i'm",
        "i've",
        "in",
        "into",
        "is",
        "it",
        "it's",
        "me",
        "my",
        "next",
        "of",
        "on",
        "one",
        "only",
        "or",
        "our",
        "out",
        "so",
        "that",
        "the",
        "this",
        "to",
        "we",
        "what",
        "which",
        "who",
        "with",
        "you",
        "your",
    ]
)
"""Words that say nothing of what a seed asks for: a phrase outside it may share them."""


class Exchange(NamedTuple):
    """One phrase and what may stand in its place."""

    phrase: str
    other: str
    anywhere: bool
    """Whether it may be exchanged in the seed, too."""


@cache
def exchanges() -> tuple[Exchange, ...]:
    """All of them, in the order of the lists."""
    lists = ((word_lists().synonyms, True), (word_lists().context, False))
    return tuple(
        Exchange(phrase, other, anywhere)
        for table, anywhere in lists
        for phrase, others in table.items()
        for other in others
    )


def exchanged(text: str, number: int, seed: Seed) -> str:
    """The text of a seed with one exchange, where its words first stand; as it is where they don't, or 0."""
    if not number:
        return text
    one = exchanges()[(number - 1) % len(exchanges())]
    if not one.anywhere and said(one.phrase) & said(seed.text):
        return text
    match = next(iter(occurrences(text, one.phrase, seed.protected)), None)
    return text if match is None else put(text, match, cased(match.group(), one.other))


@lru_cache(maxsize=4096)
def said(text: str) -> frozenset[str]:
    """Words and numbers of a text that are more than `LITTLE`, in lower case."""
    return frozenset(re.findall(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*", text.lower())) - LITTLE


def possible(text: str, seed: Seed) -> list[tuple[int, str]]:
    """(number, text) of each exchange that changes a seed's text."""
    lower = text.lower()
    near = [number for number, one in enumerate(exchanges(), start=1) if one.phrase in lower]
    found = [(number, exchanged(text, number, seed)) for number in near]
    return [(number, new) for number, new in found if new != text]
