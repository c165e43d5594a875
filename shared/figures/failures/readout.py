"""One prompt's score read early at each layer, beside its twin, over the range of the rightly judged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.failures.look import axis, layout
from shared.figures.kit.layer_axis import hover_names, layer_axis, residual_axis
from shared.figures.kit.style import CLASS_COLOUR, CLASS_DASH, CLASS_SYMBOL, GREY, line_style, ribbon_colour
from shared.findings.text import escape
from shared.records import Label


def readout_figure(
    prompt: np.ndarray, label: Label, twin: np.ndarray | None, twin_label: Label, low: np.ndarray, high: np.ndarray,
    others: int, parts: int | None, title: str,
) -> go.Figure:  # fmt: skip
    """All (layers + 1,), embeddings first, nats; `parts` is the point from which on the prompt is outside the range
    of the `others`."""
    x = residual_axis(len(prompt) - 1)
    names = hover_names(x)
    traces = _band(x, low, high, label, others) if others else []
    traces.append(_line("this prompt", x, prompt, label, names))
    if twin is not None:
        traces.append(_line("beside it", x, twin, twin_label, names) | {"opacity": 0.55})
    found = layout(escape(title), axis("layer") | layer_axis(len(prompt) - 1, 12), axis("score read early (nats)"))
    across = {"color": GREY, "width": 1.2, "dash": "dot"}
    found["shapes"] = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": across, "layer": "below"}
    ]
    if parts is not None:
        upright = {"color": GREY, "width": 1.4}
        at = float(x[parts])
        found["shapes"].append(
            {
                "type": "line",
                "yref": "paper",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "line": upright,
                "layer": "below",
            }
        )
        left = 2 * parts <= len(prompt)
        found["annotations"] = [
            {"text": "parts", "x": at, "y": 1, "yref": "paper", "yanchor": "top",
             "xanchor": "left" if left else "right", "xshift": 3 if left else -3,
             "showarrow": False, "font": {"size": 11}}
        ]  # fmt: skip
    figure = go.Figure({"data": traces, "layout": found})
    figure.layout.template = None
    return figure


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray, label: Label, others: int) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    fill = {"fill": "tonexty", "fillcolor": ribbon_colour(CLASS_COLOUR[label]), "name": f"{others} judged rightly"}
    return [edge | {"y": low, "showlegend": False}, edge | {"y": high} | fill]


def _line(name: str, x: np.ndarray, y: np.ndarray, label: Label, names: list[str]) -> dict[str, Any]:
    look = line_style(CLASS_COLOUR[label], CLASS_DASH[label], CLASS_SYMBOL[label], len(x), 6)
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": f"{name} ({label})",
        "text": names,
        "hovertemplate": "%{text}: %{y:.2f} nats<extra>%{fullData.name}</extra>",
    } | look
