"""Attention heads: which of them carry the verdict, what is lost without them, and what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.layer_rows import layer_rows, map_height, mark_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import FOR_AND_AGAINST, GREEN, GREY, INK, PALE, SKY
from shared.figures.units.rows import (
    JOINT_HEIGHT,
    ROW_HEIGHT,
    UnitRow,
    bare_axis,
    draw_effects,
    draw_joint,
    draw_words,
    effect_axis,
    head,
    joint_axes,
    names_axis,
)
from shared.figures.units.words import attended_hover, attended_lines, nats

if TYPE_CHECKING:
    from shared.findings.heads import HeadRow, HeadsResult

MAX_TOP = 12
"""Most rows drawn; the table holds the others."""
MARK, MOST_CLICKED = 14, 120
"""Pixels across what takes the click on a cell, and how many of them a figure of any size has room for."""
MARKED, MOST_MARKS = 0.25, 40
"""Cells whose |effect| exceeds this share of the range carry their sign, at most so many of them."""
_STEPS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_LEFT, _RIGHT, _TOP, _BOTTOM = 118, 24, 104, 84
_GAP = 160
"""Pixels between the map and the rows: axis title, colour scale, heading, legend."""


def heads_figure(result: HeadsResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Map and joint ablation above; below, a row for each of the strongest heads.

    `title`, `subtitle` and `flags` are already escaped.
    """
    top_rows = shown(result)
    heights = [map_height(result.layers), ROW_HEIGHT * max(2, len(top_rows))]
    height, (above, below) = stacked(heights, [_GAP])
    top = _TOP + flags_height(flags)
    sheet = Sheet(top + height + _BOTTOM, title, subtitle, top=top, bottom=_BOTTOM, left=_LEFT, right=_RIGHT)
    draw_flags(sheet, flags, lift=34)
    _draw_overview(sheet, result, above, JOINT_HEIGHT / height)
    _draw_rows(sheet, result, below, top_rows)
    return sheet.figure()


def shown(result: HeadsResult) -> list[HeadRow]:
    """The heads that have a row."""
    return result.top[:MAX_TOP]


def colour_range(result: HeadsResult) -> float:
    """Where the colours end on both sides, nats: a round number that seldom changes from epoch to epoch."""
    largest = max((abs(value) for row in result.effect for value in row), default=0.0)
    return next((float(step) for step in _STEPS if step >= largest), float(np.ceil(largest)))


def _draw_overview(sheet: Sheet, result: HeadsResult, up: tuple[float, float], joint_height: float) -> None:
    every = next(n for n in (1, 2, 4, 8, 16, 32) if result.heads / n <= 16 or n == 32)
    heads = {"title": "head", "tickvals": list(range(0, result.heads, every)), "showgrid": False, "zeroline": False}
    effects = sheet.pane((0, 0.57), up, heads | {"range": [-0.5, result.heads - 0.5]}, layer_rows(result.layers))
    x, y = joint_axes(result.joint)
    joint = sheet.pane((0.67, 1), (up[1] - joint_height, up[1]), x, y)
    _draw_map(sheet, effects, result)
    _draw_marks(sheet, effects, result)
    draw_joint(sheet, joint, result.joint, "head", "none were removed")
    mark_frozen(sheet, (effects,), result.layers, result.frozen_boundary)
    head(sheet, effects, "Effect of each head, by attribution")
    head(sheet, joint, "Removed together")


def _draw_map(sheet: Sheet, pane: Pane, result: HeadsResult) -> None:
    effect, limit = np.array(result.effect, dtype=np.float32), colour_range(result)
    sheet.draw(
        pane,
        "heatmap",
        z=effect,
        zmin=-limit,
        zmax=limit,
        xgap=1,
        ygap=1,
        colorscale=[[i / (len(FOR_AND_AGAINST) - 1), colour] for i, colour in enumerate(FOR_AND_AGAINST)],
        showlegend=False,
        hovertemplate="<b>L%{y}.H%{x}</b>: %{z:.3g} nats<extra></extra>",
        colorbar=_colour_bar(pane, limit),
    )
    rows, columns = _marked(effect, limit)
    sheet.draw(
        pane,
        x=columns,
        y=rows,
        mode="text",
        text=["+" if effect[place] > 0 else "−" for place in zip(rows, columns, strict=True)],
        textfont={
            "size": 13,
            "color": ["white" if abs(effect[p]) > 0.62 * limit else INK for p in zip(rows, columns, strict=True)],
        },
        showlegend=False,
        hoverinfo="skip",
    )


def _draw_marks(sheet: Sheet, pane: Pane, result: HeadsResult) -> None:
    """A mark that is not seen on the strongest cells: a heat map tells nobody which of its cells was clicked."""
    effect = np.array(result.effect)
    rows, columns = np.unravel_index(np.argsort(-np.abs(effect), axis=None)[:MOST_CLICKED], effect.shape)
    sheet.draw(
        pane,
        x=columns,
        y=rows,
        mode="markers",
        showlegend=False,
        marker={"symbol": "square", "size": MARK, "opacity": 0.001, "color": INK},
        customdata=[f"L{row}.H{column}" for row, column in zip(rows, columns, strict=True)],
        hovertemplate="<b>%{customdata}</b>: %{text} nats<extra></extra>",
        text=[nats(float(value)) for value in effect[rows, columns]],
    )


def _marked(effect: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the cells that carry their sign, so that colour is not the only cue."""
    strongest = np.argsort(-np.abs(effect), axis=None)[:MOST_MARKS]
    rows, columns = np.unravel_index(strongest, effect.shape)
    strong = np.abs(effect[rows, columns]) > MARKED * limit
    return rows[strong], columns[strong]


def _colour_bar(pane: Pane, limit: float) -> dict[str, Any]:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": pane.up[0],
        "yanchor": "top",
        "ypad": 46,
        "xpad": 0,
        "len": pane.across[1],
        "thickness": 9,
        "outlinewidth": 0.5,
        "outlinecolor": PALE,
        "tickvals": [-limit, -limit / 2, 0, limit / 2, limit],
        "ticktext": [f"{value:g}".replace("-", "−") for value in (-limit, -limit / 2, 0, limit / 2, limit)],
        "tickfont": {"size": 11},
        "title": {
            "text": "◀ against the right verdict · effect by attribution (nats) · for it ▶",
            "side": "bottom",
            "font": {"size": 12},
        },
    }


def _draw_rows(sheet: Sheet, result: HeadsResult, up: tuple[float, float], heads: Sequence[HeadRow]) -> None:
    rows = [_unit_row(each, place) for place, each in enumerate(heads)]
    effects = sheet.pane((0, 0.36), up, effect_axis(rows, result.random_drops), names_axis(rows, max(2, len(rows))))
    share = {"title": "share of attention", "range": [-0.04, 1.04], "tickvals": [0, 0.5, 1]}
    habits = sheet.pane((0.39, 0.56), up, share, bare_axis(effects))
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    words = sheet.pane((0.585, 1), up, hidden, bare_axis(effects) | {"visible": False})
    head(sheet, effects, "Heads that were chosen, each alone", lift=30)
    if not rows:  # an axis on which nothing is drawn has no place for a heading
        sheet.say_missing(effects, "no head was removed")
        return
    head(sheet, habits, "Habits", lift=30)
    head(sheet, words, "What they look for", lift=30)
    draw_effects(sheet, effects, rows, result.random_drops)
    draw_words(sheet, words, rows)
    _draw_habits(sheet, habits, heads)
    # below its plot: above it stands the other legend
    sheet.layout[f"legend{habits.suffix}"] |= {"y": 0, "yref": "container", "yanchor": "bottom"}


def _unit_row(each: HeadRow, place: float) -> UnitRow:
    return UnitRow(
        name=each.name,
        frozen=each.frozen,
        effect=each.effect,
        integrated=each.effect_integrated,
        disputed=each.disputed,
        ablation=each.ablation,
        lines=attended_lines(each),
        hover=attended_hover(each),
        place=place,
    )


def _draw_habits(sheet: Sheet, pane: Pane, heads: Sequence[HeadRow]) -> None:
    """Where a head looks whatever the words are: at sinks, at the token itself, at the one before."""
    kinds = (
        ("sink", [each.sink_share for each in heads], GREY, "square-open"),
        ("self", [each.self_share for each in heads], SKY, "circle"),
        ("previous", [each.previous_share for each in heads], GREEN, "triangle-left"),
    )
    for name, shares, colour, symbol in kinds:
        sheet.draw(
            pane,
            x=np.array(shares, dtype=float),
            y=np.arange(len(heads)),
            mode="markers",
            name=name,
            showlegend=True,
            marker={"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1.6, "color": colour}},
            customdata=[each.name for each in heads],
            hovertemplate=f"<b>%{{customdata}}</b>: %{{x:.0%}} of its attention on: {name}<extra></extra>",
        )
