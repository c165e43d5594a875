"""The run as a film: one frame a checkpoint, what a linear probe reads after each layer and what each head adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_axis import layer_axis, residual_axis
from shared.figures.kit.layer_rows import layer_rows, map_height
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import BLUE, FOR_AND_AGAINST, PALE, line_style, nice_limit

FRAME_MS = 700
"""Milliseconds that a checkpoint stays."""
_TOP, _BOTTOM = 112, 196


def play_figure(
    labels: Sequence[str], auroc: np.ndarray, heads: np.ndarray | None, title: str, subtitle: str
) -> go.Figure:
    """`auroc` (k, layers + 1), embeddings first; `heads` (k, layers, heads) nats, None without; NaN is a gap.

    The last checkpoint shows first. All words are already escaped.
    """
    count, layers = len(labels), auroc.shape[1] - 1
    sheet = Sheet(_TOP + max(220, map_height(layers)) + _BOTTOM, title, subtitle, top=_TOP, bottom=_BOTTOM)
    low = min(0.45, float(np.nanmin(auroc, initial=0.5))) - 0.02
    across = (0.0, 0.4) if heads is not None else (0.0, 1.0)
    y = {"title": "AUROC of a linear probe", "range": [low, 1.02]}
    left = sheet.pane(across, (0, 1), layer_axis(layers, most=12) | {"title": "layer"}, y)
    look = line_style(BLUE, "solid", "circle", layers + 1)
    sheet.draw(
        left,
        x=residual_axis(layers),
        y=auroc[-1].astype(np.float32),
        showlegend=False,
        hovertemplate="layer %{x}: AUROC %{y:.3f}<extra></extra>",
        **look,
    )
    if heads is not None:
        _draw_heads(sheet, heads)
    sheet.layout["updatemenus"] = [_buttons()]
    sheet.layout["sliders"] = [_slider(labels)]
    figure = sheet.figure()
    figure.frames = [_frame(labels, auroc, heads, place) for place in range(count)]
    return figure


def _draw_heads(sheet: Sheet, heads: np.ndarray) -> None:
    layers, count = heads.shape[1:]
    known = np.abs(heads[np.isfinite(heads)])
    limit = nice_limit([10 * float(known.max())]) / 10 if len(known) else 1.0
    x = {"title": "head", "range": [-0.5, count - 0.5], "showgrid": False, "zeroline": False}
    pane = sheet.pane((0.52, 0.88), (0, 1), x, layer_rows(layers))
    sheet.draw(
        pane,
        "heatmap",
        z=heads[-1].astype(np.float32),
        zmin=-limit,
        zmax=limit,
        xgap=1,
        ygap=1,
        colorscale=[[place / (len(FOR_AND_AGAINST) - 1), colour] for place, colour in enumerate(FOR_AND_AGAINST)],
        showlegend=False,
        hovertemplate="<b>L%{y}.H%{x}</b>: %{z:.3g} nats<extra></extra>",
        colorbar={
            "title": {"text": "effect (nats): against ◀ ▶ for", "side": "right", "font": {"size": 12}},
            "thickness": 12,
            "x": 0.9,
            "xanchor": "left",
            "outlinecolor": PALE,
            "outlinewidth": 0.5,
        },
    )


def _frame(labels: Sequence[str], auroc: np.ndarray, heads: np.ndarray | None, place: int) -> go.Frame:
    data: list[dict[str, Any]] = [{"type": "scatter", "y": auroc[place].astype(np.float32)}]
    if heads is not None:
        data.append({"type": "heatmap", "z": heads[place].astype(np.float32)})
    return go.Frame(name=f"{place}", data=data, traces=list(range(len(data))))


_STILL = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}


def _buttons() -> dict[str, Any]:
    run = {"mode": "immediate", "fromcurrent": False, "frame": {"duration": FRAME_MS, "redraw": True}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 58, "r": 8},
        "buttons": [
            {"label": "▶ Play", "method": "animate", "args": [None, run | {"transition": {"duration": 0}}]},
            {"label": "❚❚ Stop", "method": "animate", "args": [[None], _STILL]},
        ],
    }


def _slider(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "active": len(labels) - 1,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "len": 1,
        "pad": {"t": 96},
        "currentvalue": {"prefix": "", "xanchor": "right", "font": {"size": 14}, "offset": 6},
        "steps": [
            {"label": label, "method": "animate", "args": [[f"{place}"], _STILL]}
            for place, label in enumerate(labels)
        ],
    }
