"""Words over many prompts: mean attribution beside what replacing them does, and pairs that act together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import BLUE, GREY, ORANGE
from shared.findings.parts import Interval

ROW = 24
"""Pixels a word takes."""


@dataclass(frozen=True)
class WordRow:
    """One line of the figure."""

    name: str
    """The word, what it was compared with, and in how many prompts; escaped."""
    attribution: Interval | None
    replaced: Interval | None
    """Both in nats, positive pushes to unsafe."""


def words_over_prompts(rows: Sequence[WordRow], title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Dots with 95 % intervals. All text is already escaped."""
    above = flags_height(flags)
    sheet = Sheet(200 + above + ROW * max(len(rows), 4), title, subtitle, top=112 + above, left=250)
    names = {"autorange": "reversed", "ticks": "", "automargin": False}
    pane = sheet.pane(x={"title": "nats, ◀ to safe · to unsafe ▶"}, y=names)
    sheet.vertical(pane, 0.0, color=GREY, width=1)
    for name, colour, symbol, found in (
        ("mean attribution", BLUE, "circle", [(row.name, row.attribution) for row in rows]),
        ("replaced by neutral words", ORANGE, "diamond", [(row.name, row.replaced) for row in rows]),
    ):
        known = [(where, value) for where, value in found if value is not None]
        if known:
            _draw(sheet, pane, name, colour, symbol, known)
    if not rows:
        sheet.say_missing(pane, "no word is listed")
    draw_flags(sheet, flags, lift=36)
    return sheet.figure()


def _draw(sheet: Sheet, pane, name: str, colour: str, symbol: str, found: list[tuple[str, Interval]]) -> None:
    x, low, high = np.array([(value.value, value.low, value.high) for _, value in found]).T
    sheet.draw(
        pane,
        x=x,
        y=[where for where, _ in found],
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 9},
        error_x={"array": high - x, "arrayminus": x - low, "color": colour, "thickness": 1.4, "width": 3},
        customdata=np.stack([low, high], axis=1),
        hovertemplate=(
            "%{fullData.name}<br>%{y}: %{x:.3f} nats [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>"
        ),
    )
