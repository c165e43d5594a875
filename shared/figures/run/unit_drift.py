"""Heads and neurons that carry the verdict, by checkpoint: their effect as colour, what removal says as a mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import FOR_AND_AGAINST, INK, PALE, nice_limit
from shared.figures.run.maps import checkpoint_ticks

ROW = 26
"""Pixels of a unit's row."""
_TOP, _BOTTOM, _LEFT = 112, 70, 96
_MARKS = ((1.0, "carries the verdict when removed", "circle"), (0.0, "removed, does not", "circle-open"))


def unit_drift_figure(
    names: Sequence[str],
    labels: Sequence[str],
    effect: np.ndarray,
    carries: np.ndarray,
    title: str,
    subtitle: str,
) -> go.Figure:
    """`effect` (units, k) nats and `carries` (units, k): 1, 0, or NaN where it was not removed; NaN is a gap.

    A mark that is not seen carries each cell's unit by name, for the click. Words are already escaped.
    """
    units, count = effect.shape
    sheet = Sheet(_TOP + ROW * max(3, units) + _BOTTOM, title, subtitle, top=_TOP, bottom=_BOTTOM, left=_LEFT)
    across = checkpoint_ticks(labels) | {"range": [-0.5, count - 0.5], "showgrid": False, "zeroline": False}
    up = {
        "tickvals": list(range(units)),
        "ticktext": list(names),
        "range": [units - 0.5, -0.5],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
    pane = sheet.pane((0, 0.86), (0, 1), across | {"title": "checkpoint"}, up)
    limit = _limit(effect)
    sheet.draw(
        pane,
        "heatmap",
        z=effect.astype(np.float32),
        zmin=-limit,
        zmax=limit,
        xgap=1,
        ygap=1,
        colorscale=[[place / (len(FOR_AND_AGAINST) - 1), colour] for place, colour in enumerate(FOR_AND_AGAINST)],
        showlegend=False,
        hoverinfo="skip",
        colorbar={
            "title": {"text": "effect (nats): against ◀ ▶ for", "side": "right", "font": {"size": 12}},
            "thickness": 12,
            "x": 0.88,
            "xanchor": "left",
            "outlinecolor": PALE,
            "outlinewidth": 0.5,
        },
    )
    for value, name, symbol in _MARKS:
        rows, columns = np.nonzero(carries == value)
        look = {"symbol": symbol, "size": 9, "color": INK, "line": {"width": 1.5, "color": INK}}
        sheet.draw(
            pane, x=columns, y=rows, mode="markers", name=name, showlegend=True, marker=look, hoverinfo="skip"
        )
    cells = [(row, column) for row in range(units) for column in range(count)]
    sheet.draw(
        pane,
        x=np.array([column for _, column in cells]),
        y=np.array([row for row, _ in cells]),
        mode="markers",
        showlegend=False,
        marker={"symbol": "square", "size": 18, "opacity": 0.001, "color": INK},
        customdata=[names[row] for row, _ in cells],
        text=[f"{names[row]} at {labels[column]}: {_told(effect[row, column])}" for row, column in cells],
        hovertemplate="%{text}<extra></extra>",
    )
    return sheet.figure()


def _limit(effect: np.ndarray) -> float:
    """A round number that seldom changes, nats."""
    known = np.abs(effect[np.isfinite(effect)])
    return nice_limit([10 * float(known.max())]) / 10 if len(known) else 1.0


def _told(value: float) -> str:
    return f"{value:.3g} nats" if np.isfinite(value) else "not known"
