"""Which side one class name is on, in the languages and forms that published judges carry.

1. A name is cut into words: "NonToxic", "non-toxic" and "non_toxic" are the same; case and accents do not count.
2. A name that stands in the vocabulary as a whole is on its side.
3. Else fillers go ("unsafe_content"), negations are counted and taken off ("not_toxic", "no injection", "nothate"),
   and what is left is looked up as a whole; where nothing is negated also word by word, when all are on one side.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from shared.judge_labels import vocabulary
from shared.records import Label

OTHER: dict[Label, Label] = {"safe": "unsafe", "unsafe": "safe"}
PLAIN = str.maketrans("ıđłø", "idlo")
"""Letters that are no accented ones to Unicode."""
FIRST_ACCENT = 200
"""Combining classes from here on stand below and above letters; smaller ones (nukta, virama) change which it is."""
LONGEST = 200
"""Characters of a name that are looked at."""


def split(name: str) -> list[str]:
    """The words of a name, in one spelling: "isNotTöxic" -> ["is", "not", "toxic"]."""
    spaced = re.sub(r"(?<=[a-zà-ÿ])(?=[A-Z])", " ", name[:LONGEST].replace("’", "'").replace("n't", "nt"))
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", spaced).casefold()).translate(PLAIN)
    plain = [character for character in folded if unicodedata.combining(character) < FIRST_ACCENT]
    kept = [each if each.isalnum() or unicodedata.category(each)[0] == "M" else " " for each in plain]
    return unicodedata.normalize("NFC", "".join(kept)).split()


def key(name: str) -> str:
    """What equal names have in common."""
    return "".join(split(name))


@cache
def _table(words: str) -> frozenset[str]:
    return frozenset(key(word) for word in words.split())


def _entry(word: str) -> Label | None:
    if word in _table(vocabulary.UNSAFE):
        return "unsafe"
    return "safe" if word in _table(vocabulary.SAFE) else None


def side_of(name: str) -> Label | None:
    """Whether a class name means safe or unsafe ("non-toxic" is safe, "INJECTION" is unsafe); None when unclear."""
    words = split(name)
    whole = _entry("".join(words))
    if whole is not None:
        return whole
    negators, fillers = _table(vocabulary.NEGATORS), _table(vocabulary.FILLERS)
    core = [word for word in words if word not in negators]
    telling = [word for word in core if word not in fillers and not word.isdecimal()]
    found = _together(core) or _together(telling)
    negations = len(words) - len(core)
    if negations == 0:
        return found or _alike(telling)
    return OTHER[found] if found is not None and negations % 2 else found


def _together(words: list[str]) -> Label | None:
    """The side of words as one, or as one with a negation glued to its front."""
    joined = "".join(words)
    return _entry(joined) or _unglued(joined)


def _alike(words: list[str]) -> Label | None:
    """The side that all words are on. Not for negated ones: of "non-violent crime" only one word is."""
    sides: set[Label | None] = {_together([word]) for word in words if word not in _table(vocabulary.INTENSIFIERS)}
    return sides.pop() if len(sides) == 1 else None


def _unglued(word: str) -> Label | None:
    """ "nothate" -> safe, "unharmful" -> safe; None where no negation is glued to a known word."""
    for negation in _table(vocabulary.GLUED):
        if word.startswith(negation):
            found = _entry(word.removeprefix(negation))
            if found is not None:
                return OTHER[found]
    return None


def is_neutral(name: str) -> bool:
    """Whether a name says only that a text is not what the other classes are ("neutral", "neither", "NOT")."""
    words = split(name)
    left = [word for word in words if word not in _table(vocabulary.NEGATORS)]
    return "".join(words) in _table(vocabulary.NEUTRAL) or (bool(words) and not left)


def is_rest(name: str) -> bool:
    """Whether a name says that a text is something else ("other"): neutral only where it excludes the others."""
    return key(name) in _table(vocabulary.REST)


def seems_unsafe(name: str) -> bool:
    """Whether a name is more often the unsafe one of two; good for a proposal, and for nothing else."""
    return side_of(name) == "unsafe" or key(name) in _table(vocabulary.LIKELY_UNSAFE)
