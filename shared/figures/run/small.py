"""One small plot of a run beside its words: it fits any width, and stands on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.style import FONT, GREY, ORANGE, line_style, ribbon_colour
from shared.figures.run.grid import STYLES, Line, Plot
from shared.findings.text import escape

HEIGHT = 190
"""Pixels."""
FAINT = "rgba(128,128,128,0.25)"
"""Of grid lines, on white and on black."""
STAR, BANG = "★", "!"
"""Mark the best checkpoint, and one with an alarm."""
MOST_TICKS = 6


def small_figure(
    plot: Plot, x_title: str, labels: Sequence[str], best: int | None = None, alarms: Sequence[int] = ()
) -> go.Figure:
    """`labels` name the entries of every curve; `best` and `alarms` are entries that get a mark.

    Every point carries its entry's number as customdata.
    """
    traces: list[dict[str, Any]] = []
    for line in plot.lines:
        traces += _traces(line, labels)
    layout = _layout(plot, x_title)
    first = next((line.curve for line in plot.lines if line.curve), None)
    if first is None:
        layout["annotations"] = [_missing(plot.missing)]
    else:
        layout["shapes"] = [_upright(first.x[place]) for place in alarms]
        layout["annotations"] = [
            *(_mark(BANG, first.x[place], ORANGE) for place in alarms),
            *([_mark(STAR, first.x[best], GREY)] if best is not None else []),
        ]
        layout["xaxis"] |= _whole_ticks(first.x)
    figure = go.Figure({"data": traces, "layout": layout})
    figure.layout.template = None
    return figure


def _traces(line: Line, labels: Sequence[str]) -> list[dict[str, Any]]:
    colour, dash, symbol = STYLES[line.style]
    curve, found = line.curve, []
    if curve.low is not None and curve.high is not None and np.isfinite(curve.low).sum() > 1:
        known = np.isfinite(curve.low)
        edge = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        fill = {"fill": "tonexty", "fillcolor": ribbon_colour(colour)}
        found = [
            edge | {"x": curve.x[known], "y": curve.low[known]},
            edge | fill | {"x": curve.x[known], "y": curve.high[known]},
        ]
    look = line_style(colour, dash, symbol, len(curve.x), 6)
    words = [escape(label) for label in labels]
    main = {
        "type": "scatter",
        "x": curve.x,
        "y": curve.y,
        "name": line.name,
        "text": words,
        "customdata": np.arange(len(curve.x)),
        "hovertemplate": f"{line.name} %{{y:.3g}}<br>%{{text}}<extra></extra>",
        "connectgaps": False,
    }
    return [*found, main | look]


def _layout(plot: Plot, x_title: str) -> dict[str, Any]:
    axis = {"gridcolor": FAINT, "linecolor": FAINT, "zeroline": False, "automargin": True, "tickfont": {"size": 11}}
    low, high = plot.limits
    ends = (
        {"autorangeoptions": {"include": [edge for edge in (low, high) if edge is not None]}} if plot.lines else {}
    )
    return {
        "height": HEIGHT,
        "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "#7a8490"},
        "title": {"text": escape(plot.title), "font": {"size": 13}, "x": 0, "xanchor": "left", "y": 1,
                  "yanchor": "top", "pad": {"t": 4, "l": 4}},
        "xaxis": axis | {"title": {"text": x_title, "font": {"size": 11}, "standoff": 4}},
        "yaxis": axis | {"nticks": 4} | ends | dict(plot.axis),
        "showlegend": len(plot.lines) > 1,
        "legend": {"orientation": "h", "traceorder": "normal", "x": 1, "xanchor": "right", "y": 0,
                   "yanchor": "bottom", "yref": "container", "font": {"size": 11}},
        "hovermode": "closest",
        "clickmode": "event+select",
        "dragmode": False,
    }  # fmt: skip


def _whole_ticks(x: np.ndarray) -> dict[str, Any]:
    """Ticks at whole numbers, and the same air at both ends so that the first and last marks are whole."""
    low, high = float(x.min()), float(x.max())
    step = max(1, int(np.ceil((high - low) / MOST_TICKS)))
    air = max(0.04 * (high - low), 0.02 * max(high, 1.0))
    return {"tick0": 0, "dtick": step, "tickformat": "d", "range": [low - air, high + air]}


def _upright(x: float) -> dict[str, Any]:
    line = {"color": ORANGE, "width": 1.4, "dash": "dot"}
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "line": line,
        "layer": "below",
    }


def _mark(text: str, x: float, colour: str) -> dict[str, Any]:
    return {"text": f"<b>{text}</b>", "x": x, "y": 1, "xref": "x", "yref": "paper", "showarrow": False,
            "yanchor": "bottom", "font": {"size": 13, "color": colour}}  # fmt: skip


def _missing(text: str) -> dict[str, Any]:
    return {"text": escape(text), "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
