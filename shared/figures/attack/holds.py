"""What became of the attacks over the run: at each checkpoint, how many of them it judges wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from shared.figures.attack.success import FOOT, HEIGHT
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import GREY, INK
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.attack import AttackArchive


def holds_figure(archive: AttackArchive, title: str, subtitle: str) -> go.Figure:
    """One plot over the checkpoints, by step."""
    sheet = Sheet(110 + HEIGHT + FOOT, title, subtitle, top=110, bottom=FOOT)
    draw_holds(sheet, (0, 1), (0, 1), archive)
    return sheet.figure()


def draw_holds(sheet: Sheet, across: tuple[float, float], up: tuple[float, float], archive: AttackArchive) -> None:
    """One plot of it."""
    pane = sheet.pane(
        across,
        up,
        {"type": "category", "tickangle": -40},
        {"title": "share of the attacks", "range": [0, 1.03]},
    )
    names = [escape(hold.label, 24) for hold in archive.holds]
    for which, name, colour, dash, symbol in (
        ("fooled", "judged wrongly", INK, "solid", "circle"),
        ("holes", "and the seed rightly", GREY, "dash", "square-open"),
    ):
        intervals = [getattr(hold, which) for hold in archive.holds]
        sheet.draw(
            pane,
            x=names,
            y=[interval.value for interval in intervals],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [interval.high - interval.value for interval in intervals],
                "arrayminus": [interval.value - interval.low for interval in intervals],
                "thickness": 1.2,
            },
            mode="lines+markers",
            offsetgroup="both",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.0%} of the attacks<extra>%{fullData.name}</extra>",
        )
