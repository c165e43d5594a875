"""How far the analyzer lags behind the trainer: checkpoints saved and checkpoints analysed, over the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import BLUE, GREY
from shared.findings.text import escape


class Passage(NamedTuple):
    """One checkpoint's way; Unix times in seconds, None where it did not happen or is not known."""

    label: str
    saved: float | None
    analysed: float | None
    """When its last result was committed."""


def timeline_figure(passages: Sequence[Passage], title: str, subtitle: str = "") -> go.Figure:
    """Two stairs: their distance across is the lag in time, up and down the checkpoints that are behind.

    `title` and `subtitle` are already escaped.
    """
    sheet = Sheet(270, title, subtitle, top=86 if not subtitle else 104, bottom=46)
    pane = sheet.pane(x={"type": "date"}, y={"title": "checkpoints", "rangemode": "tozero", "nticks": 6})
    stairs = (
        ("saved", [(each.saved, each.label) for each in passages], GREY, "solid"),
        ("analysed", [(each.analysed, each.label) for each in passages], BLUE, "dash"),
    )
    for name, steps, colour, dash in stairs:
        known = sorted((when, label) for when, label in steps if when is not None)
        if not known:
            continue
        times = [datetime.fromtimestamp(when, UTC) for when, _ in known]
        sheet.draw(
            pane,
            x=times,
            y=np.arange(1, len(known) + 1),
            name=name,
            showlegend=True,
            mode="lines+markers" if len(known) <= 60 else "lines",
            line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
            marker={"size": 5, "color": colour},
            text=[escape(label) for _, label in known],
            hovertemplate="%{text} " + name + " %{x|%Y-%m-%d %H:%M:%S} UTC<extra></extra>",
        )
    return sheet.figure()
