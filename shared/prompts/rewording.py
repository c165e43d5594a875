"""Rules that put a prompt in another way and keep its label: casing, spelling, paraphrase frames.

Each rule takes a text and gives another one, or None where it does not apply. None changes what is asked for:
- casing changes letters' case and the last punctuation mark only;
- spelling changes words of function and politeness from a fixed table, never a word of the act itself, and no
  misspelling in it is another word;
- frames put another opening before the same act, word for word.

Spelling and frames are for English; other prompts have none of the table's words or openings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rule = Callable[[str], "str | None"]

CHAT = {
    "you": "u", "your": "ur", "are": "r", "please": "pls", "because": "cuz", "want to": "wanna",
    "going to": "gonna", "thanks": "thx", "without": "w/o", "people": "ppl", "someone": "smn",
}  # fmt: skip
"""As typed on a phone."""
MISSPELT = {
    "because": "becuase", "without": "witout", "people": "poeple", "should": "shoud", "would": "woud",
    "could": "coud", "their": "thier", "about": "abuot", "which": "whcih", "please": "plese", "what": "waht",
    "with": "wiht", "from": "fron", "really": "realy", "tomorrow": "tommorow", "before": "befor",
    "someone": "somone", "until": "untill", "explain": "explane",
}  # fmt: skip
"""Common slips in words that say nothing of the act."""
CONTRACTIONS = {
    "i am": "I'm", "i would": "I'd", "do not": "don't", "does not": "doesn't", "is not": "isn't",
    "what is": "what's", "who is": "who's", "how is": "how's", "cannot": "can't", "will not": "won't",
}  # fmt: skip
"""Two words of function as one, where a further word follows ("who I am" ends otherwise)."""

ASKED = re.compile(
    r"(?:how (?:do|can|could|would|should) i|how to|what(?:'s| is) (?:the best|a good|the easiest) way to"
    r"|(?:please )?(?:tell|show|teach|explain to) me how to|explain how to) (?P<act>[a-z][^.?!]*)[.?!]?",
    re.IGNORECASE,
)
"""A whole prompt that asks how something is done."""
ORDERED = re.compile(
    r"(?:help me|write|give me|tell me|show me|explain|list|describe|draft|make|suggest|find|recommend)\b"
    r" [^.?!]*[.!]?",
    re.IGNORECASE,
)
"""A whole prompt that asks for something in the imperative."""
ASKING = ("How do I {}?", "How can I {}?", "What's a good way to {}?", "Tell me how to {}.", "Explain how to {}.",
          "I'd like to know how to {}.", "Can you tell me how to {}?", "Show me how to {}.")  # fmt: skip
ORDERING = ("Please {}.", "Could you {}?", "Can you {} for me?", "I'd like you to {}.", "I need you to {}.")


def lower_case(text: str) -> str | None:
    """All in lower case, without the mark at the end."""
    return _changed(text.lower().rstrip("?.!"), text)


def capitals(text: str) -> str | None:
    """All in capitals."""
    return _changed(text.upper(), text)


def chat_spelling(text: str) -> str | None:
    """Short forms, as in a message."""
    return _replaced(text, CHAT)


def misspelling(text: str) -> str | None:
    """Slips in words of function."""
    return _replaced(text, MISSPELT)


def contraction(text: str) -> str | None:
    """Two words of function as one."""
    return _replaced(text, CONTRACTIONS, r"(?= \w)")


def asking(frame: str) -> Rule:
    """Another opening of a question how something is done."""

    def rule(text: str) -> str | None:
        found = ASKED.fullmatch(text.strip())
        return _changed(frame.format(found["act"]), text) if found else None

    return rule


def ordering(frame: str) -> Rule:
    """Another opening of an imperative."""

    def rule(text: str) -> str | None:
        wanted = text.strip().rstrip(".!")
        if not ORDERED.fullmatch(text.strip()) or ("for me" in frame and re.search(r"\bme\b", wanted)):
            return None
        return frame.format(wanted[0].lower() + wanted[1:])

    return rule


RULES: dict[str, Rule] = {
    "lower case": lower_case,
    "capitals": capitals,
    "chat spelling": chat_spelling,
    "misspelling": misspelling,
    "contraction": contraction,
    **{f"frame: {frame.partition(' {}')[0].lower()}": asking(frame) for frame in ASKING},
    **{f"frame: {frame.partition(' {}')[0].lower()}": ordering(frame) for frame in ORDERING},
}
"""Name -> rule."""


def _replaced(text: str, table: dict[str, str], before: str = "(?!')") -> str | None:
    """With every word of the table in place of what it stands for, where `before` matches what follows; a capital
    at the beginning stays."""
    longest_first = sorted(table, key=len, reverse=True)
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + rf")\b{before}", re.IGNORECASE)

    def other(match: re.Match[str]) -> str:
        word = table[match[0].lower()]
        return word[0].upper() + word[1:] if match[0][0].isupper() else word

    return _changed(pattern.sub(other, text), text)


def _changed(text: str, before: str) -> str | None:
    return text if text and text != before else None
