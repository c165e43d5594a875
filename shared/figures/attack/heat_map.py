"""The archive as a heat map a direction: risk x technique, each cell its surest text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import INK
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.attack import AttackArchive, Cell, Direction

ROW = 27
"""Pixels of one risk."""
HEAD, FOOT = 58, 128
"""Pixels above each heat map, for its name; and below the last one, for the techniques' names."""
SCALE = [[0.0, "#f7f7f7"], [1e-6, "#fde0d2"], [0.5, "#f4a582"], [1.0, "#d6604d"]]
"""Near-white where the judge is right; the redder the surer of the wrong verdict."""
NAMES = {"unsafe": "unsafe passed as safe", "safe": "safe refused as unsafe"}
"""True label -> what a failure is."""


def heat_map_figure(archive: AttackArchive, title: str, subtitle: str) -> go.Figure:
    """The heat maps one below the other."""
    inner = sum(heights(archive))
    sheet = Sheet(110 + inner + FOOT, title, subtitle, top=110, bottom=FOOT, left=150)
    draw_maps(sheet, archive, inner)
    return sheet.figure()


def heights(archive: AttackArchive) -> list[int]:
    """Pixels of each direction's heat map with its name."""
    return [HEAD + ROW * len(direction.risks) for direction in archive.directions]


def draw_maps(sheet: Sheet, archive: AttackArchive, inner: float) -> None:
    """From the top of a drawing area that is `inner` pixels high."""
    roof = 1.0
    for number, (direction, height) in enumerate(zip(archive.directions, heights(archive), strict=True)):
        last = number == len(archive.directions) - 1
        floor = roof - height / inner
        pane = sheet.pane(up=(max(floor, 0), roof - HEAD / inner), x=_techniques(last), y=_risks())
        _draw_map(sheet, pane, direction)
        roof = floor


def _techniques(shown: bool) -> dict:
    return {"type": "category", "showticklabels": shown, "tickangle": -30, "showgrid": False}


def _risks() -> dict:
    return {"type": "category", "autorange": "reversed", "showgrid": False}


def _draw_map(sheet: Sheet, pane: Pane, direction: Direction) -> None:
    rows = {risk: [cell for cell in direction.cells if cell.risk == risk] for risk in direction.risks}
    sheet.draw(
        pane,
        "heatmap",
        x=[cell.technique for cell in rows[direction.risks[0]]],
        y=[escape(risk, 24) for risk in rows],
        z=[[_surely_wrong(cell) for cell in row] for row in rows.values()],
        text=[[_shown(cell) for cell in row] for row in rows.values()],
        customdata=[[_hover(cell) for cell in row] for row in rows.values()],
        texttemplate="%{text}",
        hovertemplate="%{y}, %{x}<br>%{customdata}<extra></extra>",
        textfont={"size": 12, "color": INK},
        colorscale=SCALE,
        zmin=0,
        zmax=max([1.0, *(_surely_wrong(cell) for cell in direction.cells)]),
        showscale=False,
        xgap=2,
        ygap=2,
    )
    sheet.note(
        f"<b>{NAMES[direction.label]}</b>: nats for the wrong verdict of each cell's surest text; "
        "· judged rightly, blank nothing tried",
        pane,
        x=0,
        y=1,
        yshift=14,
        xanchor="left",
        yanchor="middle",
        size=13,
        colour=INK,
    )


def _surely_wrong(cell: Cell) -> float:
    return max(cell.best or 0.0, 0.0)


def _shown(cell: Cell) -> str:
    if cell.best is None:
        return ""
    return f"{cell.best:.1f}" if cell.wrong else "·"


def _hover(cell: Cell) -> str:
    if cell.best is None:
        return "no text: no frame of this technique would keep the label"
    counts = f"{cell.wrong} of {cell.tried} texts judged wrongly; surest {cell.best:+.2f} nats"
    return f"{counts}:<br>{escape(cell.text, 110)}"
