"""The axis every by-layer figure shares: embeddings, then the layers, with the frozen part shaded and named."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import GREY
from shared.findings.parts import EMBEDDINGS, layer_name

MAX_TICKS = 28
BAND = "#e7ebef"


def residual_axis(layers: int) -> np.ndarray:
    """Positions of the residual stream's points: embeddings first.  (layers + 1,)"""
    return np.arange(EMBEDDINGS, layers)


def hover_names(layers: np.ndarray) -> list[str]:
    """What a hover calls these positions."""
    return [layer_name(int(layer)) for layer in layers]


def layer_axis(layers: int, most: int = MAX_TICKS) -> dict[str, Any]:
    """Axis settings: "emb" and layer numbers, about `most` of them; the last layer is always named."""
    every = next(n for n in (1, 2, 4, 5, 10, 20, 50, 10**6) if layers / n <= most)
    first = 0 if every == 1 else every  # a thinned axis has no room for 0 beside "emb"
    shown = [layer for layer in range(first, layers, every) if layers - 1 - layer >= every]
    shown += [layers - 1] * (layers > 0)
    return {
        "tickmode": "array",
        "tickangle": 0,
        "tickvals": [EMBEDDINGS, *shown],
        "ticktext": ["emb", *(str(layer) for layer in shown)],
        "range": [EMBEDDINGS - 0.45, layers - 0.55],
    }


def shade_frozen(sheet: Sheet, layers: int, boundary: int, embeddings_frozen: bool | None) -> None:
    """Grey behind the frozen layers of every pane, and a dotted line at the boundary.

    The band covers the embeddings unless they are known to train.
    """
    if boundary <= 0 and not embeddings_frozen:
        return
    start = -0.5 if embeddings_frozen is False else EMBEDDINGS - 0.5
    for pane in sheet.panes:
        sheet.band(pane, start, boundary - 0.5, BAND)
        if boundary < layers:
            sheet.vertical(pane, boundary - 0.5, color=GREY, width=1.2, dash="dot")


def name_boundary(sheet: Sheet, pane: Pane, layers: int, boundary: int, source: str) -> None:
    """Name both sides of the boundary inside the top of a pane; `source` is LayersResult.frozen_from."""
    if source == "unknown":
        sheet.note("frozen layers not yet known", pane, x=0.01, xanchor="left", y=1, yanchor="top")
        return
    declared = " (declared)" if source == "declared" else ""
    place = {"xref": pane.x, "x": boundary - 0.5, "y": 1, "yanchor": "top"}
    if boundary > 0:
        sheet.note(f"◀ frozen{declared}", pane, xanchor="right", xshift=-4, **place)
    if boundary < layers:
        sheet.note("trains ▶" if boundary > 0 else "all layers train", pane, xanchor="left", xshift=4, **place)
