"""The hand-written word lists that the rules go by (`words.yaml`, `context.yaml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from shared.prompts import shipped
from shared.prompts.rows import read_rows

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@dataclass(frozen=True)
class WordLists:
    """What the files hold; all in lower case but asides, fillers and emoji."""

    synonyms: dict[str, list[str]]
    context: dict[str, list[str]]
    """Of frames and asides; from `context.yaml`."""
    openings: list[str]
    """How an asker opens who wants to do something."""
    fixed: list[str]
    """Phrases inside which nothing is replaced."""
    translations: dict[str, list[str]]
    asides: list[str]
    fillers: list[str]
    emoji: list[str]
    confusable: frozenset[str]
    """Words that are never misspelt."""
    risks: dict[str, str]
    framed: list[str]
    """How a prompt begins that is framed already."""
    unclear: list[str]
    """What stands in shipped prompts that can be read either way."""


@cache
def word_lists() -> WordLists:
    """The lists, read once."""
    raw, context = (
        yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
        for name in ("words.yaml", "context.yaml")
    )
    return WordLists(**raw | {"confusable": frozenset(raw["confusable"]), "context": context})


@cache
def known_words() -> frozenset[str]:
    """Words of the shipped prompts and of the lists: what a misspelling must not turn into."""
    lists = word_lists()
    texts = [str(row.values["prompt"]) for row in read_rows(shipped.PATH)]
    texts += [*lists.synonyms, *lists.fixed, *lists.asides, *lists.confusable]
    return frozenset(word for text in texts for word in words_of(text))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation and digits."""
    return [word.lower() for word in WORD.findall(text)]
