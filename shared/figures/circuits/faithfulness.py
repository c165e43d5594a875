"""The faithfulness curve: how much of the separation circuits of growing size keep, beside random ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.circuits.words import kept, noun, outside_range, small_share
from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, INK, ORANGE, PURPLE, line_style

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult, CurvePoint

LOWEST, HIGHEST = -1.0, 2.0
"""The y axis ends here at the latest: a circuit may keep less than nothing, or more than all, without bound."""
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def faithfulness_figure(result: CircuitsResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Faithfulness over the share of edges, on a log axis. `title`, `subtitle`, `flags` are already escaped."""
    top = 108 + flags_height(flags)
    sheet = Sheet(top + 330 + 60, title, subtitle, top=top, bottom=60)
    draw_flags(sheet, flags, lift=36)
    low, high = y_range(result)
    y = {"title": "faithfulness: share of the separation kept", "range": [low, high], "tickformat": ".0%"}
    pane = sheet.pane(x=_size_axis(result), y=y)
    if not result.curve:
        sheet.say_missing(pane, "the whole judge and its corrupted run score alike: there is nothing to keep")
        return sheet.figure()
    _draw_levels(sheet, pane, result)
    _draw_random(sheet, pane, result.curve, noun(result))
    _draw_curves(sheet, pane, result)
    _mark_smallest(sheet, pane, result)
    cut = outside_range(result.curve, low, high)
    if cut:
        words = f"{cut} {'value lies' if cut == 1 else 'values lie'} outside this range; the table says how far"
        sheet.note(words, pane, x=1, xanchor="right", y=0, yanchor="bottom", bgcolor="white")
    return sheet.figure()


def y_range(result: CircuitsResult) -> tuple[float, float]:
    """Over every value drawn, 0 and 1 among them, within LOWEST and HIGHEST."""
    values = [v for p in result.curve for v in (p.low, p.high, p.by_magnitude, *p.random)]
    low, high = min([0.0, *values]), max([1.0, *values])
    return max(LOWEST, low - 0.05), min(HIGHEST, high + 0.07)


def _size_axis(result: CircuitsResult) -> dict:
    smallest = min((100 * point.fraction for point in result.curve), default=0.1)
    return {
        "title": f"circuit size: % of all {result.total_edges:,} {noun(result)} (log scale)",
        "type": "log",
        "range": [np.log10(0.75 * smallest), np.log10(135)],
        "tickvals": [tick for tick in _TICKS if tick >= 0.75 * smallest],
        "ticktext": [f"{tick:g}" for tick in _TICKS if tick >= 0.75 * smallest],
    }


def _draw_levels(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """Lines at nothing, all, and the share asked for, named at the right."""
    asked = f"asked for: {kept(result.keep)}"
    for at, dash, words, side in (
        (0.0, "solid", "corrupted run", "right"),
        (1.0, "solid", "whole judge", "left"),
        (result.keep, "dot", asked, "left"),
    ):
        shape = {"type": "line", "xref": f"{pane.x} domain", "x0": 0, "x1": 1, "yref": pane.y, "y0": at, "y1": at}
        sheet.shapes.append(shape | {"layer": "below", "line": {"color": GREY, "width": 1.3, "dash": dash}})
        place = {"x": 0.004 if side == "left" else 0.996, "xanchor": side, "yref": pane.y, "y": at}
        sheet.note(words, pane, yanchor="bottom", size=11, **place)


def _draw_random(sheet: Sheet, pane: Pane, curve: Sequence[CurvePoint], word: str) -> None:
    """Every random circuit as a point, and a dotted line through their means."""
    drawn = [point for point in curve if point.random]
    if not drawn:
        return
    sheet.draw(
        pane,
        x=np.array([100 * p.fraction for p in drawn for _ in p.random], dtype=np.float32),
        y=np.array([value for p in drawn for value in p.random], dtype=np.float32),
        mode="markers",
        showlegend=False,
        legendgroup="random",
        marker={"symbol": "circle-open", "size": 6, "color": GREY},
        hovertemplate=f"a random circuit of %{{x:.3g}} % of the {word}: %{{y:.1%}}<extra></extra>",
    )
    sheet.draw(
        pane,
        x=np.array([100 * p.fraction for p in drawn], dtype=np.float32),
        y=np.array([np.mean(p.random) for p in drawn], dtype=np.float32),
        mode="lines",
        name=f"random {word}",
        showlegend=True,
        legendgroup="random",
        line={"color": GREY, "dash": "dot", "width": 1.8},
        hoverinfo="skip",
    )


def _draw_curves(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """The two rankings: by magnitude behind, signed with its interval in front."""
    x = np.array([100 * point.fraction for point in result.curve], dtype=np.float32)
    words = [f"{point.edges:,} {noun(result)} ({small_share(point.fraction)})" for point in result.curve]
    sheet.draw(
        pane,
        x=x,
        y=np.array([point.by_magnitude for point in result.curve], dtype=np.float32),
        name="best by |score| (CMD)",
        showlegend=True,
        text=words,
        hovertemplate="best %{text} by |score|: %{y:.1%}<extra></extra>",
        **line_style(PURPLE, "dash", "square", len(x), 6),
    )
    low, high = (np.array([getattr(p, bound) for p in result.curve], dtype=np.float32) for bound in ("low", "high"))
    sheet.ribbon(pane, x, low, high, BLUE)
    sheet.draw(
        pane,
        x=x,
        y=np.array([point.faithfulness for point in result.curve], dtype=np.float32),
        name="best by score (CPR), 95 % interval",
        showlegend=True,
        customdata=[f"[{kept(point.low)}, {kept(point.high)}]" for point in result.curve],
        text=words,
        hovertemplate="best %{text}: %{y:.1%} %{customdata}<extra></extra>",
        **line_style(BLUE, "solid", "circle", len(x)),
    )


def _mark_smallest(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """A star at the smallest circuit that keeps what is asked for."""
    circuit = result.smallest
    if circuit is None:
        return
    words = f"smallest that keeps {kept(result.keep)}: {circuit.edges:,} {noun(result)}"
    sheet.draw(
        pane,
        x=np.array([100 * circuit.fraction], dtype=np.float32),
        y=np.array([circuit.faithfulness], dtype=np.float32),
        mode="markers",
        name=words,
        showlegend=True,
        marker={"symbol": "star", "size": 16, "color": ORANGE, "line": {"color": INK, "width": 1.2}},
        hovertemplate=f"{words}: %{{y:.1%}}<extra></extra>",
    )
