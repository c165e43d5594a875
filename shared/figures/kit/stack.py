"""Rows of plots with heights in pixels, as Plotly wants them: shares of the drawing area."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[float, float]


def stacked(heights: Sequence[float], gaps: Sequence[float]) -> tuple[int, list[Span]]:
    """The drawing area's height in pixels, and each row's (bottom, top) in shares of it, from the top row down.

    `gaps` are the pixels between neighbouring rows, one fewer than there are rows.
    """
    total = sum(heights) + sum(gaps)
    spans: list[Span] = []
    roof = total
    for height, gap in zip(heights, [*gaps, 0], strict=True):
        spans.append((max(0.0, (roof - height) / total), roof / total))
        roof -= height + gap
    return round(total), spans
