"""Tokens to words: by the tokenizer's character offsets, shown as they stand in the prompt.

WordPiece's `##ing`, byte-level BPE's `Ġ` and sentencepiece's `▁` never show, because no text is taken from tokens.
Tokens belong to one word when they touch inside a run of letters or digits; an apostrophe between letters joins,
whitespace, other punctuation, and scripts written without spaces (each character a word) divide.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.model.batches import Encoded


@dataclass(frozen=True)
class WordSpan:
    """One word, or one special token."""

    text: str
    start: int
    end: int
    """Character span in the prompt; (0, 0) for a special token."""
    tokens: tuple[int, ...]
    """Positions of its tokens; every token of a prompt belongs to exactly one word."""
    special: bool = False


def words(encoded: Encoded, special_names: Sequence[str]) -> list[WordSpan]:
    """The words of a prompt in token order; `special_names` (tokens,) name the special tokens."""
    found: list[WordSpan] = []
    waiting: list[int] = []  # tokens without visible characters: they join the next word
    for position, (special, offsets) in enumerate(zip(encoded.special, encoded.offsets, strict=True)):
        if special:
            found = _close(found, waiting)
            waiting = []
            found.append(WordSpan(special_names[position], 0, 0, (position,), special=True))
            continue
        start, end = _trimmed(encoded.text, *offsets)
        if start == end:
            waiting.append(position)
            continue
        tokens = (*waiting, position)
        waiting = []
        last = found[-1] if found else None
        if last is not None and not last.special and _joined(encoded.text, last.end, start):
            end = max(end, last.end)
            found[-1] = WordSpan(encoded.text[last.start : end], last.start, end, last.tokens + tokens)
        else:
            found.append(WordSpan(encoded.text[start:end], start, end, tokens))
    return _close(found, waiting)


def _close(found: list[WordSpan], waiting: list[int]) -> list[WordSpan]:
    """Give invisible tokens at the end to the last word, or make them a word of their own where there is none."""
    if not waiting:
        return found
    if found and not found[-1].special:
        last = found[-1]
        return [*found[:-1], WordSpan(last.text, last.start, last.end, (*last.tokens, *waiting))]
    return [*found, WordSpan("", 0, 0, tuple(waiting))]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the whitespace around it, which some tokenizers count to a token."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _joined(text: str, end: int, start: int) -> bool:
    """Whether what ends at `end` and what starts at `start` are one word."""
    if start < end:
        return True  # bytes of one character
    if start > end:
        return False  # whitespace, or characters the tokenizer drops, lie between
    before, after = text[end - 1], text[start]
    if _in_word(before) and _in_word(after):
        return True
    if after in "'’":
        return _in_word(before) and start + 1 < len(text) and _in_word(text[start + 1])
    return before in "'’" and end >= 2 and _in_word(text[end - 2]) and _in_word(after)


def _in_word(character: str) -> bool:
    """Letters, digits, marks and underscores of scripts that separate words by spaces."""
    category = unicodedata.category(character)
    if category == "Lo" and unicodedata.name(character, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI")):
        return False
    return category[0] in "LNM" or character == "_"


_STOP_TEXT = (
    "a about above after again all am an and any are as at be because been before being below between both but "
    "by can could did do does doing down during each few for from further had has have having he her here hers "
    "him his how i if in into is it its just me more most my of off on once only or other our out over own "
    "please same she should so some such than that the their them then there these they this those through to "
    "too under until up very was we were what when where which while who whom why will with would you your"
)
STOP_WORDS = frozenset(_STOP_TEXT.split())
"""English words that say little about what is asked. Negations ("not", "without") do say it, and are left out."""


def is_filler(word: WordSpan) -> bool:
    """Special tokens, punctuation and stop words: what should not carry a verdict."""
    if word.special or not any(character.isalnum() for character in word.text):
        return True
    return word.text.lower().replace("’", "'") in STOP_WORDS
