"""Maps over the checkpoints of a run: checkpoint by checkpoint, and layer by checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import BLUE, INK, ORANGE, PALE, VERMILLION
from shared.findings.parts import layer_names

MOST_TICKS = 14
CELL = 22
"""Pixels across the invisible marks that take a click on a cell, at most: a heat map itself takes none."""

_BAR = {"thickness": 12, "xanchor": "left", "outlinecolor": PALE, "outlinewidth": 0.5}


def similarity_figure(table: np.ndarray, labels: Sequence[str], title: str, subtitle: str) -> go.Figure:
    """(k, k) CKA of every pair of checkpoints; `labels` and words are already escaped.

    The mark that takes the click on a cell carries its place in the table, row by row.
    """
    count = len(labels)
    sheet = Sheet(520, title, subtitle, top=96, bottom=76, left=110)
    axis = checkpoint_ticks(labels) | {"range": [-0.5, count - 0.5], "showgrid": False, "zeroline": False}
    pane = sheet.pane((0, 0.86), (0, 1), axis | {"title": "checkpoint"}, axis | {"title": "compared with"})
    names = list(labels)
    sheet.draw(
        pane,
        "heatmap",
        z=table.astype(np.float32),
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        text=[[f"{one} and {other}" for other in names] for one in names],
        hovertemplate="%{text}: CKA %{z:.3f}<extra></extra>",
        colorbar=_BAR | {"title": {"text": "CKA", "side": "right", "font": {"size": 12}}, "x": 0.88, "len": 0.95},
    )
    rows, columns = (each.ravel() for each in np.indices((count, count)))
    sheet.draw(
        pane,
        x=columns,
        y=rows,
        mode="markers",
        name="cells",
        showlegend=False,
        customdata=np.arange(count * count),
        text=[f"{names[row]} and {names[column]}" for row, column in zip(rows, columns, strict=True)],
        hovertemplate="%{text}: click to compare<extra></extra>",
        marker={"symbol": "square", "size": max(6, min(CELL, 380 // count)), "opacity": 0.001, "color": INK},
    )
    return sheet.figure()


def layers_by_checkpoint_figure(
    auroc: np.ndarray,
    labels: Sequence[str],
    parts: Sequence[int | None],
    alarms: Sequence[int],
    flips: tuple[np.ndarray, np.ndarray],
    title: str,
    subtitle: str,
) -> go.Figure:
    """(layers + 1, k) probe AUROC, NaN where it is not known, with the divergence layers; below it what flipped.

    `parts` is the divergence layer of each checkpoint; `alarms` are places of checkpoints; `flips` (k,) each:
    verdicts that went wrong and right since the checkpoint before, NaN where unknown. All text is already escaped.
    """
    count, points = len(labels), len(auroc)
    sheet = Sheet(660, title, subtitle, top=112, bottom=66, right=44)
    axis = checkpoint_ticks(labels) | {"range": [-0.6, count - 0.4], "showgrid": False, "zeroline": False}
    names = layer_names(points - 1)
    every = max(1, -(-points // MOST_TICKS))
    ticks = {"tickvals": list(range(0, points, every)), "ticktext": names[::every], "showgrid": False}
    above = sheet.pane((0, 0.9), (0.42, 1), axis | {"showticklabels": False}, ticks | {"title": "layer"})
    below = sheet.pane((0, 0.9), (0, 0.32), axis | {"matches": "x"}, {"title": "verdicts", "zeroline": True})
    sheet.draw(
        above,
        "heatmap",
        z=auroc.astype(np.float32),
        zmin=0.5,
        zmax=1,
        colorscale="Cividis",
        showlegend=False,
        text=[[f"{label}, {name}" for label in labels] for name in names],
        hovertemplate="%{text}: AUROC %{z:.3f}<extra></extra>",
        colorbar=_BAR
        | {
            "title": {"text": "AUROC", "side": "right", "font": {"size": 12}},
            "x": 0.92,
            "len": 0.58,
            "y": 1,
            "yanchor": "top",
        },
    )
    known = [(place, layer + 1) for place, layer in enumerate(parts) if layer is not None]
    sheet.draw(
        above,
        x=[place for place, _ in known],
        y=[point for _, point in known],
        mode="markers",
        name="divergence layer",
        showlegend=True,
        marker={"symbol": "diamond", "size": 10, "color": ORANGE, "line": {"color": INK, "width": 1.2}},
        text=[labels[place] for place, _ in known],
        hovertemplate="divergence layer at %{text}<extra></extra>",
    )
    wrong, right = flips
    for name, values, colour, symbol in (("went right", right, BLUE, ""), ("went wrong", -wrong, VERMILLION, "/")):
        sheet.draw(
            below,
            "bar",
            x=np.arange(count),
            y=values,
            name=f"{name} since the checkpoint before",
            showlegend=True,
            marker={"color": colour, "pattern": {"shape": symbol}},
            text=list(labels),
            textposition="none",
            hovertemplate=f"%{{text}}: %{{y}} {name}<extra></extra>",
        )
    sheet.layout["barmode"] = "relative"
    for place in alarms:
        for pane in (above, below):
            sheet.vertical(pane, place, color="#cf222e", width=1.6, dash="dot")
        sheet.note("!", above, xref=above.x, x=place, y=1, yanchor="bottom", colour="#82071e", size=14)
    return sheet.figure()


def checkpoint_ticks(labels: Sequence[str]) -> dict:
    """Axis settings over checkpoints: as many names as there is room for, the newest among them."""
    every = max(1, -(-len(labels) // MOST_TICKS))
    places = list(range(len(labels) - 1, -1, -every))[::-1]
    return {"tickmode": "array", "tickvals": places, "ticktext": [labels[place] for place in places]}
