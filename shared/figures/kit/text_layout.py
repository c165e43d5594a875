"""Words set like text: wrapped lines of boxes as wide as their words, right to left where the script is.

Widths are estimated (no font is loaded), a little too wide rather than too narrow, so that no word leaves its box.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

PADDING = 7.0
"""Pixels between a word and each side of its box."""
MARK_SIZE = 11
"""Font size of the marks below the boxes, pixels."""
SPACE = 5.0
"""Pixels between two boxes."""
_TAG = re.compile("</?b>")
_NARROW, _WIDE = set("iljtfrI.,:;!|'`()[]{}-\"/\\ "), set("mwMW@%&QGOCD—…")


@dataclass(frozen=True)
class Box:
    """Where one word stands: pixels from the left, and its line from the top."""

    left: float
    width: float
    row: int


def text_width(text: str, size: float) -> float:
    """Estimated width in pixels of `text` in a Helvetica-like font of `size` pixels."""
    return size * sum(_em(character) for character in text)


def _em(character: str) -> float:
    """Width of one character in units of the font size."""
    if unicodedata.combining(character) or character in "\u200c\u200d\ufe0f":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05 if ord(character) < 0x1F000 else 1.35
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.92
    return 0.7 if character.isupper() or ord(character) > 0x2000 else 0.59


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Lines of escaped `text` (entities, `<b>`, `<br>`) that are at most `width` pixels wide, broken at spaces."""
    lines = []
    for part in text.split("<br>"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(unescape(_TAG.sub("", longer)), size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def place_words(
    labels: Sequence[str], sizes: Sequence[float], marks: Sequence[str], line_width: float
) -> list[Box]:
    """A box for every label, font `sizes` in pixels, on lines of `line_width` pixels; reading order is kept.

    A box is never narrower than the small mark that stands below it.
    """
    boxes: list[Box] = []
    left, row = 0.0, 0
    for label, size, mark in zip(labels, sizes, marks, strict=True):
        width = min(max(text_width(label, size) + 2 * PADDING, text_width(mark, MARK_SIZE)), line_width)
        if left > 0 and left + width > line_width:
            left, row = 0.0, row + 1
        boxes.append(Box(left, width, row))
        left += width + SPACE
    if reads_right_to_left(labels):
        return [Box(line_width - box.left - box.width, box.width, box.row) for box in boxes]
    return boxes


def reads_right_to_left(labels: Sequence[str]) -> bool:
    """Whether most letters with a direction are Arabic, Hebrew or the like."""
    directions = [unicodedata.bidirectional(character) for label in labels for character in label]
    return sum(d in ("R", "AL") for d in directions) > sum(d == "L" for d in directions)
