"""A circuit as a layered graph: layers from left to right, edges as curves, few traces however many edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.figures.circuits.edges import draw_edges
from shared.figures.circuits.kinds import (
    AGAINST,
    BY_CHANCE,
    CONTINGENT,
    CORE,
    ELSEWHERE,
    KEPT,
    LOST,
    NEW,
    OUTSIDE,
    UNCLAIMED,
    DrawnEdge,
    Kind,
    edge_mark,
    limit_of,
    node_mark,
    opened,
)
from shared.figures.circuits.layout import Layout
from shared.figures.circuits.nodes import draw_background, draw_nodes, draw_scored_nodes, name_nodes
from shared.figures.kit.layer_axis import name_boundary, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet

_FROM_FRONT = (CORE, CONTINGENT, NEW, AGAINST, LOST, BY_CHANCE, OUTSIDE, KEPT, UNCLAIMED, ELSEWHERE)
"""What matters most comes first in the legend, and is drawn last."""


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
    touched = {name for edge in edges for name in ((edge.source,) if nodes_only else (edge.source, edge.target))}
    draw_background(sheet, pane, layout, effects or {}, touched)
    limit = limit_of([edge.score for edge in edges])
    by_kind = {kind: [edge for edge in edges if edge.kind == kind] for kind in _FROM_FRONT}
    for kind, chosen in by_kind.items():
        if chosen:
            _draw_legend(sheet, pane, kind, len(chosen), nodes_only)
    draw = draw_scored_nodes if nodes_only else draw_edges
    for chosen in reversed(by_kind.values()):
        if chosen:
            draw(sheet, pane, layout, chosen, limit)
    draw_nodes(sheet, pane, layout, [] if nodes_only else edges, boundary, effects or {})
    name_nodes(sheet, pane, layout, edges, nodes_only)


def _draw_legend(sheet: Sheet, pane: Pane, kind: Kind, count: int, nodes_only: bool) -> None:
    """A kind's line in the legend; clicking it hides the kind."""
    look: dict[str, Any] = {"mode": "lines", "line": {"color": kind.colour, "dash": kind.dash, "width": 2.6}}
    if kind.symbol:
        look |= {"mode": "lines+markers", "marker": edge_mark(kind)}
    if nodes_only:
        look = {"mode": "markers", "marker": node_mark(kind) | {"symbol": f"circle{opened(kind)}", "size": 11}}
    name = f"{kind.name}: {count}"
    sheet.draw(pane, x=[None], y=[None], name=name, showlegend=True, legendgroup=kind.name, **look)
