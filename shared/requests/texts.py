"""What a text that is asked may hold: every refusal is one sentence."""

from __future__ import annotations

import unicodedata

MAX_TEXT = 20_000
"""Characters of one prompt, twin or response; a judge reads far fewer."""
PLAIN_CONTROLS = frozenset("\n\r\t")
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of writing: what is shown would not be what is judged."""


def check_text(text: str, what: str, *, may_be_empty: bool = False) -> None:
    """Raise ValueError, in one sentence, for a text that cannot be asked; `what` it is opens the sentence."""
    if not may_be_empty and not text.strip():
        raise ValueError(f"{what} is empty; write what the judge is to read")
    if len(text) > MAX_TEXT:
        raise ValueError(f"{what} has {len(text):,} characters; at most {MAX_TEXT:,} can be asked")
    for place, character in enumerate(text):
        if _is_bad(character):
            raise ValueError(
                f"{what} holds the {_kind(character)} U+{ord(character):04X} at character {place + 1}; take it out"
            )


def _is_bad(character: str) -> bool:
    if character in PLAIN_CONTROLS:
        return False
    return character in BIDI or unicodedata.category(character) in ("Cc", "Cs")


def _kind(character: str) -> str:
    if character in BIDI:
        return "mark of writing direction"
    return "half of a character" if unicodedata.category(character) == "Cs" else "control character"
