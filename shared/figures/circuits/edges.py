"""The edges of a circuit's graph: edges of one kind and width share one trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.figures.circuits.kinds import DrawnEdge, edge_mark, said
from shared.figures.circuits.layout import POINTS, Layout
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.units.words import nats

WIDTHS = (1.3, 2.8, 5.0)
"""Pixels of a weak, a middling and a strong edge."""
PARTS = (0.12, 0.35)
"""Shares of the scale's limit from which an edge is middling and strong."""


def width_words(limit: float) -> str:
    """What the widths mean, in nats."""
    low, high = (nats(part * limit) for part in PARTS)
    return f"line width: thick from {high} nats, medium from {low}, thin below"


def draw_edges(sheet: Sheet, pane: Pane, layout: Layout, edges: Sequence[DrawnEdge], limit: float) -> None:
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
        marker=edge_mark(kind) | {"opacity": seen.astype(np.float32)},
        text=[said(f"{edge.source} → {edge.target}", edge) for edge in edges for _ in at],
        customdata=np.array([edge.score for edge in edges], dtype=np.float32).repeat(len(at)),
        hovertemplate=f"%{{text}}<br>{kind.said}<extra></extra>",
    )
