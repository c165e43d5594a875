"""A circuit as a layered graph: layers from left to right, edges as curves, few traces however many edges.

Every edge is of one kind (of the smallest circuit, new, lost ...): its colour and its dash, never colour alone.
Edges of one kind and width share one trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.figures.circuit_layout import POINTS, Layout
from shared.figures.layer_axis import layer_axis, name_boundary, shade_frozen
from shared.figures.sheet import Pane, Sheet
from shared.figures.style import BLUE, GREY, INK, ORANGE, SKY, VERMILLION
from shared.figures.unit_words import nats

MAX_NAMED = 16
"""Most nodes that carry their name; the others have it in the hover."""
WIDTHS = (1.3, 2.8, 5.0)
"""Pixels of a weak, a middling and a strong edge."""
PARTS = (0.15, 0.5)
"""Shares of `Scale.limit` from which an edge is middling and strong."""
_LIMITS = tuple(base * 10.0**power for power in range(-7, 4) for base in (1, 2, 5))


@dataclass(frozen=True)
class Kind:
    """How edges of one sort look."""

    name: str
    colour: str
    dash: str
    symbol: str = ""
    """A mark in the middle of each; none where empty."""


SMALLEST = Kind("of the smallest circuit", BLUE, "solid")
CARRIES = Kind("carries the right verdict (+)", BLUE, "solid")
OUTSIDE = Kind("carries it too, outside that circuit (+)", SKY, "dot")
AGAINST = Kind("works against it (−)", VERMILLION, "dash")
KEPT = Kind("kept", "#8c959f", "solid")
NEW = Kind("new", BLUE, "solid", "triangle-right")
LOST = Kind("lost", ORANGE, "dot", "x-thin")


@dataclass(frozen=True)
class DrawnEdge:
    """One edge (or, at node level, a node on its way to the verdict) as drawn."""

    source: str
    target: str
    score: float
    """Class-signed, nats."""
    kind: Kind
    hover: str
    """Lines below its name, escaped."""


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
    x["tickvals"], x["ticktext"] = [*x["tickvals"], layout.layers], ["input", *x["ticktext"][1:], "verdict"]
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
    kinds = list(dict.fromkeys(edge.kind for edge in edges))
    for kind in sorted(kinds, key=_depth):
        chosen = [edge for edge in edges if edge.kind == kind]
        if nodes_only:
            _draw_scored_nodes(sheet, pane, layout, chosen, limit)
        else:
            _draw_edges(sheet, pane, layout, chosen, limit)
    if not nodes_only:
        _draw_nodes(sheet, pane, layout, edges, boundary, effects or {})
    _name_nodes(sheet, pane, layout, edges, nodes_only)


def _depth(kind: Kind) -> int:
    """What matters most is drawn last, in front."""
    return (KEPT, OUTSIDE, LOST, AGAINST, CARRIES, NEW, SMALLEST).index(kind)


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
            hovertemplate="effect of this node %{customdata:.3g} nats; no edge of it is drawn<extra></extra>",
        )


def _draw_edges(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float) -> None:
    """The edges of one kind: a trace for each width, and what pointing at them says."""
    classes = np.digitize([abs(edge.score) / limit if limit else 0.0 for edge in edges], PARTS)
    curves = [layout.curve(edge.source, edge.target) for edge in edges]
    strongest = max(classes)
    for level in np.unique(classes):
        chosen = np.flatnonzero(classes == level)
        x, y = (_joined([curves[i][axis] for i in chosen]) for axis in (0, 1))
        sheet.draw(
            pane,
            x=x,
            y=y,
            mode="lines",
            name=f"{edges[0].kind.name}: {len(edges)}",
            showlegend=bool(level == strongest),
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
    marked = {"symbol": kind.symbol or "circle", "size": 7, "color": kind.colour, "line": {"color": kind.colour}}
    if kind.symbol == "x-thin":
        marked["line"]["width"] = 2  # a thin symbol is nothing but its line
    sheet.draw(
        pane,
        x=np.concatenate([x[at] for x, _ in curves]).astype(np.float32),
        y=np.concatenate([y[at] for _, y in curves]).astype(np.float32),
        mode="markers",
        showlegend=False,
        legendgroup=kind.name,
        marker=marked | {"opacity": np.tile([float(bool(kind.symbol) and i == middle) for i in at], len(edges))},
        text=[text for edge in edges for text in [_said(edge)] * len(at)],
        hovertemplate="%{text}<extra></extra>",
    )


def _said(edge: DrawnEdge) -> str:
    return f"<b>{edge.source} → {edge.target}</b><br>{edge.hover}"


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
    frozen = [0 <= x < boundary - 0.5 or (name == "input" and boundary > 0) for name, (x, _) in zip(names, places)]
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
            "color": [GREY if is_frozen else INK for is_frozen in frozen],
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
    effect = f"<br>effect {nats(effects[name])} nats" if name in effects and name != "verdict" else ""
    return f"<b>{name}</b>{effect}<br>drawn edges: {into} in, {out} out"


def _draw_scored_nodes(
    sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float
) -> None:
    """At node level: each scored node as large as its score, filled where it carries, open where it works against."""
    kind = edges[0].kind
    places = [layout.place(edge.source) for edge in edges]
    share = np.sqrt(np.abs([edge.score for edge in edges]) / (limit or 1.0))
    open_or_not = "" if kind in (SMALLEST, CARRIES, NEW) else "-open"
    sheet.draw(
        pane,
        x=np.array([x for x, _ in places], dtype=np.float32),
        y=np.array([y for _, y in places], dtype=np.float32),
        mode="markers",
        name=f"{kind.name}: {len(edges)}",
        showlegend=True,
        marker={
            "symbol": [_symbol(edge.source) + open_or_not for edge in edges],
            "size": (5 + 19 * share).astype(np.float32),
            "color": kind.colour,
            "line": {"width": 2, "color": kind.colour},
            "opacity": 0.9,
        },
        text=[f"<b>{edge.source}</b><br>{edge.hover}" for edge in edges],
        hovertemplate="%{text}<extra></extra>",
    )


def _name_nodes(
    sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], nodes_only: bool
) -> None:
    """Names of the ends, and of the nodes that the strongest edges touch, in the order of their strength."""
    carried: dict[str, float] = {}
    for edge in edges:
        for name in (edge.source,) if nodes_only else (edge.source, edge.target):
            carried[name] = carried.get(name, 0.0) + abs(edge.score)
    strongest = sorted(carried, key=lambda name: -carried[name])
    names = [name for name in strongest if name not in ("input", "verdict")][:MAX_NAMED]
    places = [layout.place(name) for name in names]
    sheet.draw(
        pane,
        x=np.array([x for x, _ in places], dtype=np.float32),
        y=np.array([y for _, y in places], dtype=np.float32),
        mode="text",
        text=[f"<b>{name}</b>" for name in names],
        textposition=["bottom center" if name.endswith("MLP") else "top center" for name in names],
        textfont={"size": 11, "color": INK, "shadow": "0 0 2px white, 0 0 3px white, 0 0 4px white"},
        showlegend=False,
        hoverinfo="skip",
    )
