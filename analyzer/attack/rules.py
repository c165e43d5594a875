"""Rules that change how a prompt is put and never what it asks for.

Each rule takes a text and a number, and gives the number-th of its variants, or the text itself where it has none.
Rules of the first stage work on the seed's own words, those of the second on the whole text in its frame.
None touches a protected word; a misspelling never makes a known word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from analyzer.attack.frames import softened
from analyzer.attack.words import WORD, known_words, word_lists, words_of

LONG = 6
"""Letters of a word that may be misspelt: shorter ones are too soon another word."""
LEET = str.maketrans("aeiost", "431057")

Variants = Callable[[str, frozenset[str]], list[str]]
"""(text, protected words) -> everything that a rule can make of it."""


class Rule(NamedTuple):
    """One label-preserving rule."""

    name: str
    variants: Variants
    whole: bool
    """Whether it works on the text in its frame, rather than on the seed alone."""


def apply(rule: Rule, text: str, protected: frozenset[str], pick: int) -> str:
    """The `pick`-th variant, counted round; the text itself where there is none."""
    variants = rule.variants(text, protected)
    return variants[pick % len(variants)] if variants else text


def synonyms(text: str, protected: frozenset[str]) -> list[str]:
    """Ways to say the same, outside fixed phrases."""
    return _replaced(text, protected, word_lists().synonyms)


def translations(text: str, protected: frozenset[str]) -> list[str]:
    """An opening, or a word of politeness, in another language."""
    return _replaced(text, protected, word_lists().translations)


def typos(text: str, protected: frozenset[str]) -> list[str]:
    """Two letters exchanged inside a long word, or its last letter drawn out."""
    found = []
    for match in _long_words(text, protected):
        word = match.group()
        swaps = [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 2)]
        changed = [swap for swap in swaps if swap != word and swap.lower() not in known_words()]
        found += [put(text, match, new) for new in [*changed[:2], word + word[-1] * 2]]
    return found


def leet(text: str, protected: frozenset[str]) -> list[str]:
    """Digits for letters in one long word."""
    return [put(text, match, match.group().translate(LEET)) for match in _long_words(text, protected)]


def spaced(text: str, protected: frozenset[str]) -> list[str]:
    """One long word spelt out, letter by letter, or cut by a hyphen."""
    found = []
    for match in _long_words(text, protected):
        word = match.group()
        found += [put(text, match, "-".join(word)), put(text, match, f"{word[:3]}-{word[3:]}")]
    return found


def casing(text: str, protected: frozenset[str]) -> list[str]:
    """All small, all capitals, or each word with a capital."""
    titled = re.sub(r"(^|\s)(\S)", lambda match: match[1] + match[2].upper(), text)
    return [text.lower(), text.upper(), titled]


def punctuation(text: str, protected: frozenset[str]) -> list[str]:
    """The last mark left out, repeated or exchanged; a comma may carry meaning and stays."""
    bare = text.rstrip(".?!…")
    return [bare, f"{bare}...", f"{text}{text[-1] * 2}" if text[-1] in ".?!" else f"{text}!!"]


def asides(text: str, protected: frozenset[str]) -> list[str]:
    """A sentence about nothing before or behind it."""
    closed = text if text[-1] in ".?!…" else f"{text}."
    new = [aside for aside in word_lists().asides if aside.lower() not in text.lower()]
    return [variant for aside in new for variant in (f"{aside} {text}", f"{closed} {aside}")]


def fillers(text: str, protected: frozenset[str]) -> list[str]:
    """A word of hesitation before it."""
    return [filler[:1].upper() + filler[1:] + softened(text) for filler in word_lists().fillers]


def emoji(text: str, protected: frozenset[str]) -> list[str]:
    """A friendly picture behind it."""
    return [text + sign for sign in word_lists().emoji if sign.strip() not in text]


RULES: tuple[Rule, ...] = (
    Rule("synonym", synonyms, whole=False),
    Rule("translation", translations, whole=False),
    Rule("typo", typos, whole=False),
    Rule("digits", leet, whole=False),
    Rule("spelt out", spaced, whole=False),
    Rule("casing", casing, whole=True),
    Rule("punctuation", punctuation, whole=True),
    Rule("aside", asides, whole=True),
    Rule("filler", fillers, whole=True),
    Rule("emoji", emoji, whole=True),
)
"""All rules; a derivation names one by its place here, so new ones go to the end."""


def _replaced(text: str, protected: frozenset[str], table: dict[str, list[str]]) -> list[str]:
    return [
        put(text, match, cased(match.group(), other))
        for phrase, others in table.items()
        for match in occurrences(text, phrase, protected)
        for other in others
    ]


def occurrences(text: str, phrase: str, protected: frozenset[str]) -> list[re.Match[str]]:
    """Where a phrase stands as words of its own, outside fixed phrases; nowhere if a word of it is protected."""
    if phrase not in text.lower() or protected & set(words_of(phrase)):
        return []
    closed = _fixed_places(text)
    return [
        match
        for match in re.finditer(rf"(?<![\w'’-]){re.escape(phrase)}(?![\w'’-])", text, re.IGNORECASE)
        if not any(start < match.end() and match.start() < end for start, end in closed)
    ]


def _fixed_places(text: str) -> list[tuple[int, int]]:
    lower = text.lower()
    return [
        match.span()
        for phrase in word_lists().fixed
        if phrase in lower
        for match in re.finditer(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE)
    ]


def cased(old: str, new: str) -> str:
    """As the old words are written: in capitals, or with one; "I" always has one."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    new = re.sub(r"\bi\b", "I", new) if re.search(r"\bI\b", old) else new
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def _long_words(text: str, protected: frozenset[str]) -> list[re.Match[str]]:
    barred = protected | word_lists().confusable
    return [
        match
        for match in WORD.finditer(text)
        if len(match.group()) >= LONG and match.group().isalpha() and match.group().lower() not in barred
    ]


def put(text: str, match: re.Match[str], new: str) -> str:
    """The text with something new where the match stands."""
    return text[: match.start()] + new + text[match.end() :]
