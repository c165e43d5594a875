"""How many seeds were broken, by technique and by risk, with Wilson's intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import plotly.graph_objects as go

from shared.figures.attack.heat_map import NAMES
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.attack import AttackArchive, Direction, Success

By = Literal["technique", "risk"]
HEIGHT, FOOT = 250, 130
"""Pixels of a plot, and below it for the names."""


def success_figure(archive: AttackArchive, title: str, subtitle: str) -> go.Figure:
    """By technique on the left, by risk on the right."""
    sheet = Sheet(110 + HEIGHT + FOOT, title, subtitle, top=110, bottom=FOOT)
    draw_success(sheet, (0, 0.47), (0, 1), archive, "technique")
    draw_success(sheet, (0.56, 1), (0, 1), archive, "risk")
    return sheet.figure()


def draw_success(
    sheet: Sheet, across: tuple[float, float], up: tuple[float, float], archive: AttackArchive, by: By
) -> None:
    """One plot of it."""
    pane = sheet.pane(
        across,
        up,
        {"type": "category", "tickangle": -40},
        {"title": f"share of seeds broken, by {by}", "range": [0, 1.03]},
    )
    sheet.layout |= {"scattermode": "group", "scattergap": 0.7}  # side by side, where both would hide each other
    for direction in archive.directions:
        _draw_bars(sheet, pane, direction.by_technique if by == "technique" else direction.by_risk, direction)


def _draw_bars(sheet: Sheet, pane: Pane, found: list[Success], direction: Direction) -> None:
    shown = [success for success in found if success.tried]
    sheet.draw(
        pane,
        x=[escape(success.name, 24) for success in shown],
        y=[success.share.value for success in shown],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [success.share.high - success.share.value for success in shown],
            "arrayminus": [success.share.value - success.share.low for success in shown],
            "thickness": 1.4,
        },
        mode="markers",
        offsetgroup=direction.label,
        name=NAMES[direction.label],
        marker={"color": CLASS_COLOUR[direction.label], "symbol": CLASS_SYMBOL[direction.label], "size": 8},
        customdata=[[success.broken, success.tried] for success in shown],
        hovertemplate="%{x}: %{customdata[0]} of %{customdata[1]} seeds broken<extra>%{fullData.name}</extra>",
    )
