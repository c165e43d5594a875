"""The curve: how much of the separation circuits of growing size keep, beside random ones and MIB's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.circuits.words import kept, noun, outside_range, small_share, span
from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, INK, ORANGE, PURPLE, SKY, line_style

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult, CurvePoint

LOWEST, HIGHEST = -1.0, 2.0
"""The y axis ends here at the latest: a circuit may keep less than nothing, or more than all, without bound."""
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def faithfulness_figure(result: CircuitsResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Share of the separation kept over the share of edges, on a log axis. The words are already escaped."""
    top = 108 + flags_height(flags)
    sheet = Sheet(top + 330 + 60, title, subtitle, top=top, bottom=60)
    draw_flags(sheet, flags, lift=36)
    low, high = y_range(result)
    y = {"title": "share of the separation kept", "range": [low, high], "tickformat": ".0%"}
    pane = sheet.pane(x=_size_axis(result), y=y)
    if not result.curve:
        why = "too little needs the encoder" if result.needs_no_encoder else "there is nothing to explain"
        sheet.say_missing(pane, f"no circuit was run: {why}")
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
    values = [v for p in result.curve for v in (p.kept.low, p.kept.high, *p.random)]
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
    low = y_range(result)[0]
    if low < 0:  # reversed: shaded
        below = {"type": "rect", "xref": f"{pane.x} domain", "x0": 0, "x1": 1, "yref": pane.y, "y0": low, "y1": 0}
        sheet.shapes.append(below | {"layer": "below", "line": {"width": 0}, "fillcolor": "rgba(213,94,0,0.07)"})
    left = [] if result.left is None else [(result.left.value, "dash", "left without the encoder", "right")]
    for at, dash, words, side in (
        *left,
        (0.0, "solid", "0: the separation is gone; below: reversed, it answers the other way", "right"),
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
        hovertemplate=f"random circuits of %{{x:.3g}} % of the {word}: %{{y:.1%}}<extra></extra>",
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
    """MIB's signed order behind, as a share of the separation; ours with its interval in front."""
    _draw_mib(sheet, pane, result)
    curve = result.curve
    x = np.array([100 * point.fraction for point in curve], dtype=np.float32)
    low, high = (np.array([getattr(p.kept, end) for p in curve], dtype=np.float32) for end in ("low", "high"))
    sheet.ribbon(pane, x, low, high, BLUE)
    sheet.draw(
        pane,
        x=x,
        y=np.array([point.kept.value for point in curve], dtype=np.float32),
        name="best paths, 95 % interval",
        showlegend=True,
        text=[f"{point.edges:,} {noun(result)} ({small_share(point.fraction)})" for point in curve],
        customdata=[span(point.kept) for point in curve],
        hovertemplate="best %{text}: %{customdata}<extra></extra>",
        **line_style(BLUE, "solid", "circle", len(x)),
    )


def _draw_mib(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """f of the plain top n, on the axis of the share: with twins 2 f - 1, else by the two ends."""
    if not result.mib or result.reference != "twin" or result.left is not None:
        return  # where its answer is not the twin's the corrupted run keeps a share of its own, on other prompts
    x = np.array([100 * point.fraction for point in result.mib], dtype=np.float32)
    for name, colour, symbol, values in (
        ("plain top n by score", PURPLE, "square", [point.signed for point in result.mib]),
        ("plain top n by |score|", SKY, "diamond", [point.magnitude for point in result.mib]),
    ):
        sheet.draw(
            pane,
            x=x,
            y=np.array([2 * value - 1 for value in values], dtype=np.float32),
            name=name,
            showlegend=True,
            customdata=values,
            hovertemplate=f"{name}, %{{x:.3g}} %: f = %{{customdata:.2f}}, %{{y:.1%}} kept<extra></extra>",
            **line_style(colour, "dash", symbol, len(x), 5),
        )


def _mark_smallest(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """A star at the smallest circuit that keeps what is asked for; a diamond at what it keeps in-sample."""
    circuit = result.smallest
    if circuit is None:
        return
    words = f"keeps {kept(result.keep)}: {circuit.edges:,} {noun(result)}"
    sheet.draw(
        pane,
        x=np.array([100 * circuit.fraction], dtype=np.float32),
        y=np.array([circuit.kept.value], dtype=np.float32),
        mode="markers",
        name=words,
        showlegend=True,
        marker={"symbol": "star", "size": 16, "color": ORANGE, "line": {"color": INK, "width": 1.2}},
        hovertemplate=f"{words}: {span(circuit.kept)}<extra></extra>",
    )
    sheet.draw(
        pane,
        x=np.array([100 * circuit.fraction], dtype=np.float32),
        y=np.array([circuit.in_sample], dtype=np.float32),
        mode="markers",
        showlegend=False,
        marker={"symbol": "diamond-open", "size": 10, "color": ORANGE, "line": {"width": 2}},
        hovertemplate=f"{words}, in-sample (chosen and run on the same prompts): %{{y:.1%}}<extra></extra>",
    )
