"""Warnings too large to miss, above a figure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.figures.kit.sheet import Sheet

LINE = 20
"""Pixels a flag takes in height."""


def flags_height(flags: Sequence[str]) -> int:
    """Pixels to keep free for `flags` between the subtitle and the plots."""
    return 26 + LINE * len(flags) if flags else 0


def draw_flags(sheet: Sheet, flags: Sequence[str], lift: int = 10) -> None:
    """A red box with one line a flag, `lift` pixels above the drawing area. The flags are already escaped."""
    if not flags:
        return
    sheet.note(
        "<br>".join(f"<b>⚠ {flag}</b>" for flag in flags),
        size=14,
        colour="#82071e",
        x=0,
        xanchor="left",
        y=1,
        yanchor="bottom",
        yshift=lift,
        align="left",
        bgcolor="#ffebe9",
        bordercolor="#cf222e",
        borderwidth=1.5,
        borderpad=6,
    )
