"""The archive as a heat map a direction, success by technique, and the attacks over the run's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL, GREY, INK
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.attack import AttackArchive, Cell, Direction, Success

ROW = 27
"""Pixels of one risk."""
BELOW = 250
"""Pixels of the plots below the heat maps."""
HEAD, GAP = 58, 128
"""Pixels above each heat map, for its name; and below the last one, for the techniques' names."""
SCALE = [[0.0, "#f7f7f7"], [1e-6, "#fde0d2"], [0.5, "#f4a582"], [1.0, "#d6604d"]]
"""Near-white where the judge is right; the redder the surer of the wrong verdict."""
NAMES = {"unsafe": "unsafe passed as safe", "safe": "safe refused as unsafe"}
"""True label -> what a failure is."""


def attack_figure(archive: AttackArchive, title: str, subtitle: str) -> go.Figure:
    """Heat maps one below the other; at the bottom success by technique, and by checkpoint if there are several."""
    maps = [HEAD + ROW * len(direction.risks) for direction in archive.directions]
    inner = sum(maps) + GAP + BELOW
    sheet = Sheet(110 + inner + 130, title, subtitle, top=110, bottom=130, left=150)
    roof = 1.0
    for number, (direction, height) in enumerate(zip(archive.directions, maps, strict=True)):
        last = number == len(maps) - 1
        floor = roof - height / inner
        pane = sheet.pane(up=(max(floor, 0), roof - HEAD / inner), x=_techniques(last), y=_risks())
        _draw_map(sheet, pane, direction)
        roof = floor
    several = len(archive.holds) > 1
    _draw_success(sheet, (0, 0.46 if several else 1), BELOW / inner, archive)
    if several:
        _draw_holds(sheet, (0.58, 1), BELOW / inner, archive)
    return sheet.figure()


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


def _draw_success(sheet: Sheet, across: tuple[float, float], height: float, archive: AttackArchive) -> None:
    pane = sheet.pane(
        across,
        (0, height),
        {"type": "category", "tickangle": -40},
        {"title": "share of seeds broken", "range": [0, 1.03]},
    )
    for direction in archive.directions:
        _draw_bars(sheet, pane, direction.by_technique, direction)


def _draw_bars(sheet: Sheet, pane: Pane, found: list[Success], direction: Direction) -> None:
    shown = [success for success in found if success.tried]
    sheet.draw(
        pane,
        x=[success.name for success in shown],
        y=[success.share.value for success in shown],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [success.share.high - success.share.value for success in shown],
            "arrayminus": [success.share.value - success.share.low for success in shown],
            "thickness": 1.4,
        },
        mode="markers",
        name=NAMES[direction.label],
        marker={"color": CLASS_COLOUR[direction.label], "symbol": CLASS_SYMBOL[direction.label], "size": 8},
        customdata=[[success.broken, success.tried] for success in shown],
        hovertemplate="%{x}: %{customdata[0]} of %{customdata[1]} seeds broken<extra>%{fullData.name}</extra>",
    )


def _draw_holds(sheet: Sheet, across: tuple[float, float], height: float, archive: AttackArchive) -> None:
    pane = sheet.pane(
        across,
        (0, height),
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
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 8},
            hovertemplate="%{x}: %{y:.0%} of the attacks<extra>%{fullData.name}</extra>",
        )
