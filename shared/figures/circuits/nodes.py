"""The nodes of a circuit's graph: circles for heads, squares for MLPs, and the names of the strongest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.figures.circuits.axes import graph_height
from shared.figures.circuits.kinds import DrawnEdge, node_mark, opened, said
from shared.figures.circuits.layout import Layout
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import GREY, INK
from shared.figures.units.words import nats

MAX_NAMED = 16
"""Most nodes that carry their name; the others have it in the hover."""
_NAME_WIDTH, _NAME_HEIGHT = 0.066, 13
"""Room that a name takes: share of the width of the narrowest figure; pixels."""


def draw_background(sheet: Sheet, pane: Pane, layout: Layout, effects: dict[str, float], touched: set[str]) -> None:
    """Every node as a faint dot, but those that are `touched` by what is drawn.

    Of two marks in one place Plotly's hover takes the smaller: the dot would answer for the node.
    """
    layers, heads = np.meshgrid(np.arange(layout.layers), np.arange(layout.heads), indexing="ij")
    names = {
        "head": [f"L{layer}.H{head}" for layer, head in zip(layers.ravel(), heads.ravel(), strict=True)],
        "mlp": [f"L{layer}.MLP" for layer in range(layout.layers)],
    }
    for kind, symbol in (("head", "circle"), ("mlp", "square")):
        chosen = [name for name in names[kind] if name not in touched]
        places = np.array([layout.place(name) for name in chosen], dtype=np.float32).reshape(-1, 2)
        numbers = np.array([effects.get(name, np.nan) for name in chosen], dtype=np.float32)
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


def draw_nodes(
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
        customdata=names,
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


def draw_scored_nodes(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float) -> None:
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
        marker=node_mark(kind)
        | {
            "symbol": [_symbol(edge.source) + opened(kind) for edge in edges],
            "size": (5 + 19 * share).astype(np.float32),
            "opacity": 1,
        },
        text=[said(edge.source, edge) for edge in edges],
        customdata=np.array([edge.score for edge in edges], dtype=np.float32),
        hovertemplate=f"%{{text}}<br>{kind.said}<extra></extra>",
    )


def name_nodes(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], nodes_only: bool) -> None:
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
