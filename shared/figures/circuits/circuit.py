"""The circuit page: the graph; below it the strongest edges one by one, and what the smallest circuit keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.circuits.axes import graph_axes, graph_height
from shared.figures.circuits.edges import width_words
from shared.figures.circuits.graph import draw_graph
from shared.figures.circuits.kinds import DrawnEdge, limit_of
from shared.figures.circuits.layout import Layout
from shared.figures.circuits.words import kept, noun, of_them, span
from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import GREY, INK, ORANGE
from shared.figures.units.rows import head, pattern, round_range
from shared.figures.units.words import nats
from shared.findings.text import counted

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult

BARS = 12
"""Edges that have a bar."""
_BAR, _KEEPS = 22, 150
"""Pixels of a bar, and of the pane of what is kept."""
_GAP = 128
"""Pixels between the graph and the bars: ticks, axis title, note on widths, heading."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 108, 56


def circuits_figure(
    result: CircuitsResult, edges: Sequence[DrawnEdge], title: str, subtitle: str, flags: Sequence[str]
) -> go.Figure:
    """`edges` strongest first, as drawn. `title`, `subtitle` and `flags` are already escaped."""
    layout = Layout(result.layers, result.heads)
    bars = edges[:BARS]
    heights = [graph_height(layout), max(_KEEPS, _BAR * len(bars))]
    height, (above, below) = stacked(heights, [_GAP])
    top = _TOP + flags_height(flags)
    sheet = Sheet(top + height + _BOTTOM, title, subtitle, top=top, bottom=_BOTTOM, left=_LEFT, right=_RIGHT)
    draw_flags(sheet, flags, lift=36)
    _draw_graph(sheet, result, layout, edges, above)
    left = sheet.pane((0.1, 0.5), below, *_bar_axes(bars))
    keeps = sheet.pane((0.6, 1), (below[1] - _KEEPS / height, below[1]), _keep_axis(result), _NO_AXIS)
    ranked = "strongest" if result.smallest is not None else "scored"
    head(sheet, left, f"The {ranked} {noun(result)}, one by one", lift=6)
    head(sheet, keeps, "No circuit" if result.smallest is None else "What the smallest circuit keeps", lift=6)
    if bars:
        _draw_bars(sheet, left, bars, result.level == "nodes")
    else:
        sheet.say_missing(left, f"no {noun(result)} shown: nothing to explain")
    _draw_kept(sheet, keeps, result)
    return sheet.figure()


def _draw_graph(
    sheet: Sheet, result: CircuitsResult, layout: Layout, edges: Sequence[DrawnEdge], up: tuple[float, float]
) -> None:
    x, y = graph_axes(layout)
    pane = sheet.pane(up=up, x=x, y=y)
    nodes_only = result.level == "nodes"
    draw_graph(
        sheet,
        pane,
        layout,
        edges,
        result.frozen_boundary,
        input_frozen=any(node.kind == "input" and node.frozen for node in result.nodes),
        effects={node.name: node.effect for node in result.nodes},
        nodes_only=nodes_only,
    )
    limit = limit_of([edge.score for edge in edges])
    words = "larger marks: larger |score|" if nodes_only else width_words(limit)
    words = f"{len(edges):,} of {result.total_edges:,} {noun(result)} drawn · {words}"
    sheet.note(words, pane, size=12, x=1, xanchor="right", y=0, yanchor="top", yshift=-46)


def _bar_axes(bars: Sequence[DrawnEdge]) -> tuple[dict, dict]:
    low, high = round_range([edge.score for edge in bars])
    x = {"title": "score (nats)", "range": [low, high], "nticks": 6, "tickformat": "~g"}
    y = {
        "range": [max(1, len(bars)) - 0.5, -0.5],
        "tickvals": list(range(len(bars))),
        "ticktext": [f"{edge.source} → {edge.target}" for edge in bars],
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    return x, y


_HATCHES = {"solid": "", "dot": ".", "dash": "/", "dashdot": "x"}


def _draw_bars(sheet: Sheet, pane: Pane, bars: Sequence[DrawnEdge], nodes_only: bool) -> None:
    """One bar an edge in its kind's colour and hatching, with its number."""
    if nodes_only:
        sheet.layout[f"yaxis{pane.suffix}"]["ticktext"] = [edge.source for edge in bars]
    sheet.vertical(pane, 0, color=GREY, width=1.2)
    for kind in dict.fromkeys(edge.kind for edge in bars):
        places = [place for place, edge in enumerate(bars) if edge.kind == kind]
        scores = [bars[place].score for place in places]
        sheet.draw(
            pane,
            "bar",
            orientation="h",
            x=np.array(scores, dtype=np.float32),
            y=np.array(places),
            width=0.66,
            showlegend=False,
            marker={"color": kind.colour, "pattern": pattern(_HATCHES[kind.dash])},
            text=[nats(score) for score in scores],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11},
            hovertemplate="%{y}: %{x:+.4g} nats<extra></extra>",
        )


_NO_AXIS = {"visible": False, "range": [-0.1, 2.1], "fixedrange": True}


def _keep_axis(result: CircuitsResult) -> dict:
    values = [1.0, result.keep]
    if result.smallest is not None:
        kept_here = result.smallest.kept
        values += [kept_here.low, kept_here.high, result.smallest.in_sample, *result.smallest.random]
    low, high = min(0.0, *values), max(values)
    return {
        "title": "share of the separation kept",
        "range": [max(-1.0, low) - 0.06, min(2.0, high) + 0.08],
        "tickformat": ".0%",
        "nticks": 6,
    }


def _draw_kept(sheet: Sheet, pane: Pane, result: CircuitsResult) -> None:
    """A bar of what the circuit keeps; below it a stroke for every random circuit of its size."""
    circuit = result.smallest
    if circuit is None:
        claimed_none = result.curve or result.needs_no_encoder
        words = "no circuit can be claimed" if claimed_none else "nothing to explain"
        sheet.say_missing(pane, words)
        return
    for at, dash in ((0.0, "solid"), (result.keep, "dot"), (1.0, "solid")):
        sheet.vertical(pane, at, color=GREY, width=1.2, dash=dash)
    sheet.draw(
        pane,
        "bar",
        orientation="h",
        x=np.array([circuit.kept.value]),
        y=[1.32],
        width=0.36,
        showlegend=False,
        marker={"color": INK},
        error_x={
            "array": [circuit.kept.high - circuit.kept.value],
            "arrayminus": [circuit.kept.value - circuit.kept.low],
            "color": ORANGE,
            "thickness": 1.6,
            "width": 5,
        },
        text=kept(circuit.kept.value),
        textposition="inside",
        insidetextanchor="start",
        textfont={"color": "white", "size": 12},
        hovertemplate=f"circuits of {circuit.edges:,} {noun(result)}, chosen on other prompts: "
        f"{span(circuit.kept)}<br>of the way from the corrupted answer to the judge's (f): "
        f"{circuit.faithfulness:.2f}<extra></extra>",
    )
    sheet.draw(
        pane,
        x=np.array([circuit.in_sample], dtype=np.float32),
        y=np.array([1.32]),
        mode="markers",
        showlegend=False,
        marker={"symbol": "diamond-open", "size": 10, "color": ORANGE, "line": {"width": 2}},
        hovertemplate="in-sample, chosen and run on the same prompts: %{x:.1%}<extra></extra>",
    )
    sheet.draw(
        pane,
        x=np.array(circuit.random, dtype=np.float32),
        y=np.full(len(circuit.random), 0.25),
        mode="markers",
        showlegend=False,
        marker={"symbol": "line-ns", "size": 20, "line": {"width": 2.2, "color": GREY}},
        hovertemplate="a random circuit of that size, on one fold: %{x:.1%}<extra></extra>",
    )
    place = {"xref": pane.x, "x": 0, "yref": pane.y, "xanchor": "left", "xshift": 3, "yanchor": "bottom"}
    sheet.note(f"<b>{of_them(result, circuit.edges)}</b>", y=1.53, colour=INK, **place)
    drawn = f"<b>{counted(len(circuit.random), 'random circuit')}</b> of {of_them(result, circuit.edges)}"
    sheet.note(drawn if circuit.random else "no random circuit was run", y=0.5, colour=INK, **place)
    asked = {"xref": pane.x, "x": result.keep, "xanchor": "right", "xshift": -3, "y": 1, "yanchor": "top"}
    sheet.note(f"asked for: {kept(result.keep)}", pane, size=11, **asked)
