"""Maps of units of two checkpoints on one scale, and their difference in colours of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_rows import layer_rows, map_height, mark_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import INK, PALE

GROWN = (
    "#543005", "#8c510a", "#bf812d", "#dfc27d", "#f6e8c3", "#f7f7f7",
    "#c7eae5", "#80cdc1", "#35978f", "#01665e", "#003c30",
)  # fmt: skip
"""ColorBrewer's BrBG: brown is less than there, teal is more. Red and blue mean unsafe and safe alone."""
_ACROSS = ((0.0, 0.26), (0.38, 0.64), (0.74, 1.0))
_TOP, _BOTTOM = 112, 104


@dataclass(frozen=True, eq=False)
class MapScale:
    """How the values of a map are drawn."""

    low: float
    high: float
    colours: Any
    """Plotly's name of a scale, or its list."""
    title: str
    ticks: tuple[tuple[float, str], ...]
    x: dict[str, Any]
    """Plotly settings of the x axis."""
    edges: np.ndarray | None
    """(columns + 1,) where columns are not 0, 1, 2, ..."""
    unit: str
    """For the hover, e.g. "nats"."""


def maps_figure(
    here: np.ndarray,
    there: np.ndarray,
    change: np.ndarray,
    clear: np.ndarray,
    scales: tuple[MapScale, MapScale],
    frozen: int,
    words: tuple[str, str, str, str],
) -> go.Figure:
    """(layers, columns) each; `clear` marks cells of the change that its errors tell from 0.

    `scales` are of the values and of the change; `words` title, subtitle, and the names of here and there, escaped.
    """
    title, subtitle, now, before = words
    layers = len(here)
    sheet = Sheet(_TOP + map_height(layers) + _BOTTOM, title, subtitle, top=_TOP, bottom=_BOTTOM, left=84)
    rows = layer_rows(layers)
    panes = [
        sheet.pane(across, (0, 1), scales[0].x, rows | ({"title": ""} if i else {}))
        for i, across in enumerate(_ACROSS)
    ]
    for pane, values, scale in zip(panes, (here, there, change), (scales[0], scales[0], scales[1]), strict=True):
        _draw(sheet, pane, values, scale)
    for pane, name in zip(panes, (now, before, "difference"), strict=True):
        sheet.note(
            f"<b>{name}</b>", pane, x=0, xanchor="left", y=1, yanchor="bottom", yshift=3, size=13, colour=INK
        )
    _mark(sheet, panes[2], change, clear, scales[1])
    mark_frozen(sheet, (panes[0],), layers, frozen)
    return sheet.figure()


def _draw(sheet: Sheet, pane: Pane, values: np.ndarray, scale: MapScale) -> None:
    across = {} if scale.edges is None else {"x": scale.edges.astype(np.float32)}
    sheet.draw(
        pane,
        "heatmap",
        **across,
        y=np.arange(len(values)),
        z=values.astype(np.float32),
        zmin=scale.low,
        zmax=scale.high,
        colorscale=scale.colours,
        showlegend=False,
        hovertemplate=f"layer %{{y}}, %{{x:.4~g}}: %{{z:.3g}} {scale.unit}<extra></extra>",
        colorbar={
            "orientation": "h",
            "x": pane.across[0],
            "xanchor": "left",
            "y": 0,
            "yanchor": "top",
            "ypad": 46,
            "xpad": 0,
            "len": pane.across[1] - pane.across[0],
            "thickness": 9,
            "outlinewidth": 0.5,
            "outlinecolor": PALE,
            "tickvals": [place for place, _ in scale.ticks],
            "ticktext": [text for _, text in scale.ticks],
            "tickfont": {"size": 11},
            "title": {"text": scale.title, "side": "bottom", "font": {"size": 12}},
        },
    )


def _mark(sheet: Sheet, pane: Pane, change: np.ndarray, clear: np.ndarray, scale: MapScale) -> None:
    """A sign on every cell that is clear of 0, so that colour is not the only cue."""
    rows, columns = np.nonzero(clear)
    if not len(rows):
        return
    x = columns if scale.edges is None else (scale.edges[columns] + scale.edges[columns + 1]) / 2
    values = change[rows, columns]
    dark = np.abs(values) > 0.62 * scale.high
    sheet.draw(
        pane,
        x=x,
        y=rows,
        mode="text",
        text=["+" if value > 0 else "−" for value in values],
        textfont={"size": 13, "color": ["white" if each else INK for each in dark]},
        showlegend=False,
        hoverinfo="skip",
    )


def grown_scale() -> list[list[Any]]:
    """The colours of a difference, as Plotly takes them."""
    return [[place / (len(GROWN) - 1), colour] for place, colour in enumerate(GROWN)]
