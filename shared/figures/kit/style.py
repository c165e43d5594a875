"""Colours and line styles that every figure shares, and the escaping of text that comes from data.

Colour is never the only cue: each class also has its own dash and symbol, each attribution its sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.records import Label

# Okabe and Ito's palette, told apart with any colour vision
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, ORANGE = "#CC79A7", "#56B4E9", "#E69F00"
INK, GREY, PALE, GRID = "#1f2328", "#6e7781", "#d0d7de", "#eaeef2"

CLASS_COLOUR: dict[Label, str] = {"safe": BLUE, "unsafe": VERMILLION}
CLASS_DASH: dict[Label, str] = {"safe": "solid", "unsafe": "dash"}
CLASS_SYMBOL: dict[Label, str] = {"safe": "circle", "unsafe": "square"}

DIVERGING = (
    "#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
    "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f",
)  # fmt: skip
"""ColorBrewer's RdBu from blue (safe) over near-white (nothing) to red (unsafe)."""

FOR_AND_AGAINST = (
    "#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7",
    "#d8daeb", "#b2abd2", "#8073ac", "#542788", "#2d004b",
)  # fmt: skip
"""ColorBrewer's PuOr from orange (against the right verdict) to purple (for it): red and blue mean unsafe and
safe."""

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


def nice_limit(values: Iterable[float]) -> float:
    """The smallest round number (1, 1.5, 2, 3, 5, 7.5, 10, 15, ...) that holds all |values|, at least 1.

    A scale that seldom changes from epoch to epoch.
    """
    largest = max((abs(value) for value in values), default=0.0)
    if largest <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next((step * power for step in (1, 1.5, 2, 3, 5, 7.5) if step * power >= largest), 10 * power)


def ribbon_colour(colour: str, opacity: float = 0.18) -> str:
    """A #rrggbb colour as rgba with this opacity."""
    red, green, blue = _rgb(colour)
    return f"rgba({red},{green},{blue},{opacity})"


def diverging_colour(value: float) -> str:
    """The colour of `value` in [-1, 1] (beyond: the end's) on the DIVERGING scale, as #rrggbb."""
    place = (max(-1.0, min(1.0, value)) + 1) / 2 * (len(DIVERGING) - 1)
    left = min(int(place), len(DIVERGING) - 2)
    mixed = [
        round(start + (place - left) * (end - start))
        for start, end in zip(_rgb(DIVERGING[left]), _rgb(DIVERGING[left + 1]), strict=True)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


MAX_MARKED = 50
"""A line with more points is drawn without markers; its dash still tells it apart."""


def line_style(colour: str, dash: str, symbol: str, points: int, size: int = 7) -> dict[str, Any]:
    """Keyword arguments of a scatter trace of so many points: one colour, dash and symbol."""
    return {
        "mode": "lines+markers" if points <= MAX_MARKED else "lines",
        "line": {"color": colour, "dash": dash, "width": 2.2},
        "marker": {"color": colour, "symbol": symbol, "size": size},
    }
