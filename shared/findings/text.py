"""Text and numbers for people: escaped, shortened, signed, as a share."""

from __future__ import annotations

import math
import re
import unicodedata

MAX_TEXT = 200
"""Longest text from data in a figure, in characters; the prompt itself stands in the page and the table."""

_SPOOFING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


DEFINED = "How each number is defined, in which unit, and after which paper: docs/numbers.md of Midwatch."
"""Stands with the numbers behind every figure."""


def clean(text: str, limit: int | None = None) -> str:
    """Text from data as one printable line: control, bidi-override and lone surrogate characters replaced."""
    text = _SPOOFING.sub(lambda found: " " if found.group() in "\t\n\r" else "\ufffd", text)
    return shorten(text, limit) if limit else text


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, an ellipsis where it was longer; no combining mark loses its base."""
    if len(text) <= limit:
        return text
    cut = limit - 1
    while cut > 1 and (unicodedata.combining(text[cut]) or text[cut - 1] == "\u200d"):
        cut -= 1
    return text[:cut].rstrip() + "…"


def escape(text: str, limit: int | None = MAX_TEXT) -> str:
    """Text from data for a Plotly title, note, label or hover, where `<b>`, `&amp;` and `$x$` have meaning."""
    text = clean(text, limit)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;"), ("{", "&#123;")):
        text = text.replace(character, entity)
    return text


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign as typographers write it: "+0.34", "−1.20", "0.00"."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def percent(share: float, digits: int = 0) -> str:
    """A share as "12 %"."""
    return f"{100 * share:.{digits}f} %"


def number(value: float) -> str:
    """A number with two significant digits at least, and no more than two places: "7.60", "0.012", "0.0000031"."""
    if value == 0:
        return "0"
    places = 2 if abs(value) >= 0.095 else 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{places}f}".replace("-", "−")


def counted(count: int, one: str, many: str | None = None) -> str:
    """ "1 head", "3 heads"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """ "95 s", "37 min", "5 h", "3 days" """
    for most, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def quoted(text: str) -> str:
    """A token's text in quotes, with line breaks and tabs as they are typed: the template's reader sees them."""
    for character, typed in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, typed)
    return f'"{text}"'
