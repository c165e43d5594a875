"""Figures in windows of any width: without a title, which the page says in words, and the room their plots need."""

from __future__ import annotations

import html
import re

import plotly.graph_objects as go

TITLE_HEIGHT, SUBTITLE_HEIGHT, LINE_HEIGHT = 34, 24, 22
"""Pixels that a title of one line, its subtitle and each further line take above a figure's plots."""
LEAST_TOP = 26
"""Pixels that stay above the plots: a legend of one line."""
_TAG = re.compile("</?b>|<br>")


def untitled(figure: go.Figure) -> tuple[go.Figure, str]:
    """A copy without title and subtitle, lower by what they took; and the subtitle as plain text."""
    parts = figure.to_dict()
    layout = parts["layout"]
    title = layout.pop("title", None) or {}
    said, more = title.get("text") or "", (title.get("subtitle") or {}).get("text") or ""
    margin = layout.get("margin") or {}
    if said and "t" in margin and "height" in layout:
        lines = said.count("<br>") + more.count("<br>")
        taken = TITLE_HEIGHT + LINE_HEIGHT * lines + (SUBTITLE_HEIGHT if more else 0)
        cut = max(0, min(taken, margin["t"] - LEAST_TOP))
        layout["margin"] = margin | {"t": margin["t"] - cut}
        layout["height"] -= cut
    return go.Figure(parts, _validate=False), html.unescape(_TAG.sub(" ", more)).strip()


def room(figure: go.Figure) -> int:
    """How many plots stand beside each other in the fullest row, at most 3: the style sheet gives each its room."""
    axes = [axis for name, axis in figure.layout.to_plotly_json().items() if name.startswith("xaxis")]
    starts = {round((axis.get("domain") or (0, 1))[0], 2) for axis in axes}
    return max(1, min(3, len(starts)))
