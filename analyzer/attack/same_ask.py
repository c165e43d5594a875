"""Whether two prompts ask for the same by our rules alone: the check of what a language model reworded.

1. An opening by which the asker asks how to do something, one of a closed list, is cut off; both have one or none.
2. Phrases of one synonym list become one phrase, words of politeness and articles are left out.
3. What is left must be the same words in the same order: nothing added, dropped, exchanged or turned round.

It turns down most rewordings that a reader would accept, and none that it accepts changes what is asked for.
"""

from __future__ import annotations

import re
from functools import cache

from analyzer.attack.words import word_lists, words_of

UNSAID = frozenset({"a", "an", "the", "please", "kindly"})
"""Words that may come and go."""


def same_ask(one: str, other: str) -> bool:
    """Whether the two ask for the same, word for word but for openings, synonyms, articles and politeness."""
    first, second = _core(one), _core(other)
    return bool(first[1]) and first == second


def _core(text: str) -> tuple[bool, list[str]]:
    """Whether it begins with an opening, and its other words with one name for each group of synonyms."""
    bare = _spoken(text)
    opening = next((each for each in _openings() if bare.startswith(f"{each} ")), "")
    bare = _named(bare.removeprefix(opening).strip())
    return bool(opening), [word for word in bare.split() if word not in UNSAID]


def _spoken(text: str) -> str:
    """Words in lower case with one space between; politeness before them is no part of it."""
    words = words_of(text.replace("’", "'"))
    if re.search(r"\d", text):
        words += [f"#{number}" for number in re.findall(r"\d+", text)]
    while words and words[0] in UNSAID - {"a", "an", "the"}:
        words = words[1:]
    return " ".join(words)


def _named(text: str) -> str:
    for phrase, name in _names():
        text = re.sub(rf"(?<![\w'#]){re.escape(phrase)}(?![\w'])", name, text)
    return text


@cache
def _openings() -> tuple[str, ...]:
    """The longest first."""
    return tuple(sorted(word_lists().openings, key=lambda phrase: (-len(phrase), phrase)))


@cache
def _names() -> tuple[tuple[str, str], ...]:
    """(phrase, name of its group), the longest phrase first. Openings are no synonyms here."""
    groups: list[set[str]] = []
    for phrase, others in word_lists().synonyms.items():
        if phrase in _openings():
            continue
        found = {phrase, *others}
        near = [group for group in groups if group & found]
        groups = [group for group in groups if not group & found] + [found.union(*near)]
    named = [(phrase, min(group).replace(" ", "_")) for group in groups for phrase in group]
    return tuple(sorted(named, key=lambda each: (-len(each[0]), each[0])))
