"""Warnings too large to miss, above a figure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.figures.kit.sheet import WIDTH, Sheet
from shared.figures.kit.text_layout import wrapped

LINE = 20
"""Pixels a line of a flag takes in height."""
SIZE = 14
"""Font size in pixels."""


def flags_height(flags: Sequence[str]) -> int:
    """Pixels to keep free for `flags` between the subtitle and the plots."""
    return 26 + LINE * sum(len(_lines(flag)) for flag in flags) if flags else 0


def draw_flags(sheet: Sheet, flags: Sequence[str], lift: int = 10) -> None:
    """An amber box `lift` pixels above the drawing area; long flags go on below. All are already escaped."""
    if not flags:
        return
    sheet.note(
        "<br>".join(f"<b>{line}</b>" for flag in flags for line in _lines(flag)),
        size=SIZE,
        colour="#5c3b00",
        x=0,
        xanchor="left",
        y=1,
        yanchor="bottom",
        yshift=lift,
        align="left",
        bgcolor="#fff5e0",
        bordercolor="#b26a00",
        borderwidth=1.5,
        borderpad=6,
    )


def _lines(flag: str) -> list[str]:
    return wrapped(f"⚠ {flag}", SIZE, WIDTH - 100)
