"""A circuit as a layered graph: layers from left to right, edges as curves, few traces however many edges.

Every edge is of one kind (of the smallest circuit, new, lost ...): its colour and its dash, never colour alone.
Edges of one kind and width share one trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.figures.circuits.layout import POINTS, Layout
from shared.figures.kit.layer_axis import layer_axis, name_boundary, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, INK, ORANGE, SKY, VERMILLION
from shared.figures.units.words import nats

MAX_NAMED = 16
"""Most nodes that carry their name; the others have it in the hover."""
_NAME_WIDTH, _NAME_HEIGHT = 0.066, 13
"""Room that a name takes: share of the width of the narrowest figure; pixels."""
WIDTHS = (1.3, 2.8, 5.0)
"""Pixels of a weak, a middling and a strong edge."""
PARTS = (0.12, 0.35)
"""Shares of the scale's limit from which an edge is middling and strong."""
_LIMITS = tuple(base * 10.0**power for power in range(-7, 4) for base in (1, 2, 5))


@dataclass(frozen=True)
class Kind:
    """How edges of one sort look, and what pointing at one says."""

    name: str
    colour: str
    dash: str
    said: str
    """Hover below the edge's name, in Plotly's words; `customdata` is its score."""
    symbol: str = ""
    """A mark in the middle of each; none where empty."""


_SCORE = "score %{customdata:+.4g} nats"
SMALLEST = Kind("of the smallest circuit", BLUE, "solid", f"{_SCORE}<br>in the smallest circuit")
CARRIES = Kind("carries the right verdict (+)", BLUE, "solid", _SCORE)
OUTSIDE = Kind("carries it too, outside that circuit (+)", SKY, "dot", f"{_SCORE}<br>outside the smallest circuit")
AGAINST = Kind("works against it (−)", VERMILLION, "dash", f"{_SCORE}<br>works against the right verdict")
KEPT = Kind("kept", "#8c959f", "solid", "")
NEW = Kind("new", BLUE, "solid", "", "triangle-right")
LOST = Kind("lost", ORANGE, "dot", "", "x-thin")


@dataclass(frozen=True)
class DrawnEdge:
    """One edge (or, at node level, a node on its way to the verdict) as drawn."""

    source: str
    target: str
    score: float
    """Class-signed, nats."""
    kind: Kind
    note: str = ""
    """A line more for the hover, escaped."""


def limit_of(scores: Sequence[float]) -> float:
    """The round number (1, 2, 5, 10, ...) of nats that holds all |scores|: it changes seldom between epochs."""
    largest = max((abs(score) for score in scores), default=0.0)
    return next((limit for limit in _LIMITS if limit >= largest), largest)


def width_words(limit: float) -> str:
    """What the widths mean, in nats."""
    low, high = (nats(part * limit) for part in PARTS)
    return f"line width: thick from {high} nats, medium from {low}, thin below"


def graph_height(layout: Layout) -> int:
    """Pixels: room for every row, yet never a whole screen."""
    return int(min(560, max(250, 34 * layout.rows)))


def graph_axes(layout: Layout) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes: layers with input and verdict at the ends; heads, and the row of the MLPs."""
    x = layer_axis(layout.layers)
    room = 1 if layout.layers <= 14 else 2 if layout.layers <= 40 else 6  # layers that the word "verdict" takes
    inner = [layer for layer in x["tickvals"][1:] if layout.layers - layer >= room]
    x["tickvals"] = [-1, *inner, layout.layers]
    x["ticktext"] = ["input", *(str(layer) for layer in inner), "verdict"]
    x |= {"title": "layer", "range": [-1.5, layout.layers + 0.55], "showgrid": False}
    every = next(n for n in (1, 2, 4, 8, 16, 32) if layout.heads / n <= 16 or n == 32)
    heads = list(range(0, layout.heads, every))
    y = {
        "title": "head",
        "range": [layout.mlp_row + layout.room, -layout.room],
        "tickvals": [*heads, layout.mlp_row],
        "ticktext": [*(str(head) for head in heads), "MLP"],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
    return x, y


def draw_graph(
    sheet: Sheet,
    pane: Pane,
    layout: Layout,
    edges: Sequence[DrawnEdge],
    boundary: int,
    *,
    input_frozen: bool = False,
    effects: dict[str, float] | None = None,
    nodes_only: bool = False,
) -> None:
    """The graph in `pane`, the only pane so far: frozen layers grey, edges, nodes, names.

    `effects`: nats of every node, for the hover. `nodes_only`: the edges stand for their sources.
    """
    shade_frozen(sheet, layout.layers, boundary, input_frozen)
    if boundary:
        name_boundary(sheet, pane, layout.layers, boundary, "bytes")
    _draw_background(sheet, pane, layout, effects or {})
    limit = limit_of([edge.score for edge in edges])
    by_kind = {kind: [edge for edge in edges if edge.kind == kind] for kind in _FROM_FRONT}
    for kind, chosen in by_kind.items():
        if chosen:
            _draw_legend(sheet, pane, kind, len(chosen), nodes_only)
    draw = _draw_scored_nodes if nodes_only else _draw_edges
    for chosen in reversed(by_kind.values()):
        if chosen:
            draw(sheet, pane, layout, chosen, limit)
    _draw_nodes(sheet, pane, layout, [] if nodes_only else edges, boundary, effects or {})
    _name_nodes(sheet, pane, layout, edges, nodes_only)


_FROM_FRONT = (SMALLEST, NEW, CARRIES, AGAINST, LOST, OUTSIDE, KEPT)
"""What matters most comes first in the legend, and is drawn last."""


def _draw_legend(sheet: Sheet, pane: Pane, kind: Kind, count: int, nodes_only: bool) -> None:
    """A kind's line in the legend; clicking it hides the kind."""
    look: dict[str, Any] = {"mode": "lines", "line": {"color": kind.colour, "dash": kind.dash, "width": 2.6}}
    if kind.symbol:
        look |= {"mode": "lines+markers", "marker": _mark(kind)}
    if nodes_only:
        look = {"mode": "markers", "marker": _node_mark(kind) | {"symbol": f"circle{_opened(kind)}", "size": 11}}
    name = f"{kind.name}: {count}"
    sheet.draw(pane, x=[None], y=[None], name=name, showlegend=True, legendgroup=kind.name, **look)


def _mark(kind: Kind) -> dict[str, Any]:
    """The mark in the middle of an edge."""
    line = {"color": kind.colour, "width": 2 if kind.symbol == "x-thin" else 0}  # that one is nothing but its line
    return {"symbol": kind.symbol or "circle", "size": 7, "color": kind.colour, "line": line}


def _opened(kind: Kind) -> str:
    return "-open" if kind in (AGAINST, LOST) else ""


def _node_mark(kind: Kind) -> dict[str, Any]:
    return {"color": kind.colour, "line": {"width": 2, "color": kind.colour}}


def _draw_background(sheet: Sheet, pane: Pane, layout: Layout, effects: dict[str, float]) -> None:
    """Every node as a faint dot."""
    layers, heads = np.meshgrid(np.arange(layout.layers), np.arange(layout.heads), indexing="ij")
    names = {
        "head": [f"L{layer}.H{head}" for layer, head in zip(layers.ravel(), heads.ravel(), strict=True)],
        "mlp": [f"L{layer}.MLP" for layer in range(layout.layers)],
    }
    for kind, symbol in (("head", "circle"), ("mlp", "square")):
        places = np.array([layout.place(name) for name in names[kind]], dtype=np.float32).reshape(-1, 2)
        numbers = np.array([effects.get(name, np.nan) for name in names[kind]], dtype=np.float32)
        sheet.draw(
            pane,
            x=places[:, 0],
            y=places[:, 1],
            mode="markers",
            showlegend=False,
            marker={"symbol": symbol, "size": 4, "color": "#c3cad2"},
            customdata=numbers,
            hovertemplate="integrated effect of this node %{customdata:.3g} nats; no edge of it is drawn"
            "<extra></extra>",
        )


def _draw_edges(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float) -> None:
    """The edges of one kind: a trace for each width, and what pointing at them says."""
    classes = np.digitize([abs(edge.score) / limit if limit else 0.0 for edge in edges], PARTS)
    curves = [layout.curve(edge.source, edge.target) for edge in edges]
    for level in np.unique(classes):
        chosen = np.flatnonzero(classes == level)
        x, y = (_joined([curves[i][axis] for i in chosen]) for axis in (0, 1))
        sheet.draw(
            pane,
            x=x,
            y=y,
            mode="lines",
            showlegend=False,
            legendgroup=edges[0].kind.name,
            line={"color": edges[0].kind.colour, "dash": edges[0].kind.dash, "width": WIDTHS[level]},
            opacity=0.85,
            hoverinfo="skip",
        )
    _draw_hover(sheet, pane, edges, curves)


def _joined(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Curves as one line with gaps."""
    return np.concatenate([np.append(curve, np.nan) for curve in curves]).astype(np.float32)


def _draw_hover(
    sheet: Sheet, pane: Pane, edges: Sequence[DrawnEdge], curves: Sequence[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Points on each edge that can be pointed at: Plotly's lines answer only at their ends."""
    kind, middle = edges[0].kind, POINTS // 2
    at = [middle - 4, middle, middle + 4] if len(edges) <= 60 else [middle]
    seen = np.tile([float(bool(kind.symbol) and place == middle) for place in at], len(edges))
    sheet.draw(
        pane,
        x=np.concatenate([x[at] for x, _ in curves]).astype(np.float32),
        y=np.concatenate([y[at] for _, y in curves]).astype(np.float32),
        mode="markers",
        showlegend=False,
        legendgroup=kind.name,
        marker=_mark(kind) | {"opacity": seen.astype(np.float32)},
        text=[_said(f"{edge.source} → {edge.target}", edge) for edge in edges for _ in at],
        customdata=np.array([edge.score for edge in edges], dtype=np.float32).repeat(len(at)),
        hovertemplate=f"%{{text}}<br>{kind.said}<extra></extra>",
    )


def _said(name: str, edge: DrawnEdge) -> str:
    return f"<b>{name}</b><br>{edge.note}" if edge.note else f"<b>{name}</b>"


def _draw_nodes(
    sheet: Sheet,
    pane: Pane,
    layout: Layout,
    edges: Sequence[DrawnEdge],
    boundary: int,
    effects: dict[str, float],
) -> None:
    """The nodes that carry a drawn edge: circles for heads, squares for MLPs, grey where frozen."""
    names = sorted({name for edge in edges for name in (edge.source, edge.target)} | {"input", "verdict"})
    places = [layout.place(name) for name in names]
    size = 11 if layout.rows < 20 else 9
    sheet.draw(
        pane,
        x=np.array([x for x, _ in places], dtype=np.float32),
        y=np.array([y for _, y in places], dtype=np.float32),
        mode="markers",
        showlegend=False,
        marker={
            "symbol": [_symbol(name) for name in names],
            "size": [size + 6 if name in ("input", "verdict") else size for name in names],
            "color": [GREY if layout.frozen(name, boundary) else INK for name in names],
            "line": {"color": "white", "width": 1.2},
        },
        text=[_node_said(name, edges, effects) for name in names],
        hovertemplate="%{text}<extra></extra>",
    )


def _symbol(name: str) -> str:
    special = {"input": "triangle-right", "verdict": "star"}
    return special.get(name) or ("square" if name.endswith("MLP") else "circle")


def _node_said(name: str, edges: Sequence[DrawnEdge], effects: dict[str, float]) -> str:
    into = sum(edge.target == name for edge in edges)
    out = sum(edge.source == name for edge in edges)
    effect = f"<br>integrated effect {nats(effects[name])} nats" if name in effects and name != "verdict" else ""
    drawn = f"<br>drawn edges: {into} in, {out} out" if edges else ""
    return f"<b>{name}</b>{effect}{drawn}"


def _draw_scored_nodes(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float) -> None:
    """At node level: each scored node, as large as its score; open where it works against the right verdict."""
    kind = edges[0].kind
    places = [layout.place(edge.source) for edge in edges]
    share = np.sqrt(np.abs([edge.score for edge in edges]) / (limit or 1.0))
    sheet.draw(
        pane,
        x=np.array([x for x, _ in places], dtype=np.float32),
        y=np.array([y for _, y in places], dtype=np.float32),
        mode="markers",
        showlegend=False,
        legendgroup=kind.name,
        marker=_node_mark(kind)
        | {
            "symbol": [_symbol(edge.source) + _opened(kind) for edge in edges],
            "size": (5 + 19 * share).astype(np.float32),
            "opacity": 1,
        },
        text=[_said(edge.source, edge) for edge in edges],
        customdata=np.array([edge.score for edge in edges], dtype=np.float32),
        hovertemplate=f"%{{text}}<br>{kind.said}<extra></extra>",
    )


def _name_nodes(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], nodes_only: bool) -> None:
    """Names of the ends, and of the nodes that the strongest edges touch, in the order of their strength."""
    carried: dict[str, float] = {}
    for edge in edges:
        for name in (edge.source,) if nodes_only else (edge.source, edge.target):
            carried[name] = carried.get(name, 0.0) + abs(edge.score)
    strongest = sorted(carried, key=lambda name: -carried[name])
    names = _apart([name for name in strongest if name not in ("input", "verdict")], layout)
    places = [layout.place(name) for name in names]
    sheet.draw(
        pane,
        x=np.array([x for x, _ in places], dtype=np.float32),
        y=np.array([y for _, y in places], dtype=np.float32),
        mode="markers+text",
        marker={"size": 13, "opacity": 0},  # keeps the words off the node
        text=[f"<b>{name}</b>" for name in names],
        textposition=["bottom center" if name.endswith("MLP") else "top center" for name in names],
        textfont={"size": 11, "color": INK, "shadow": "0 0 2px white, 0 0 3px white, 0 0 4px white"},
        showlegend=False,
        hoverinfo="skip",
    )


def _apart(names: Sequence[str], layout: Layout) -> list[str]:
    """The first MAX_NAMED of `names` whose words do not run into one another."""
    wide, high = _NAME_WIDTH * (layout.layers + 2), _NAME_HEIGHT * layout.rows / graph_height(layout)
    chosen: dict[str, tuple[float, float]] = {}
    for name in names:
        x, y = layout.place(name)
        if all(abs(x - u) > wide or abs(y - v) > high for u, v in chosen.values()):
            chosen[name] = (x, y)
    return list(chosen)[:MAX_NAMED]
