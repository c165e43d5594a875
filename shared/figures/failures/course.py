"""One prompt's score over the checkpoints of a run, with the stretches where it is judged wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.failures.look import axis, layout
from shared.figures.kit.style import CLASS_COLOUR, CLASS_DASH, CLASS_SYMBOL, GREY, line_style
from shared.findings.text import escape
from shared.records import Label

MOST_TICKS = 12


def course_figure(
    x: np.ndarray, x_title: str, labels: Sequence[str], prompt: np.ndarray, label: Label,
    twin: np.ndarray | None, twin_label: Label, shown: int, title: str,
) -> go.Figure:  # fmt: skip
    """`x`, `prompt` and `twin` are (checkpoints,); scores in nats, NaN where there is none; `shown` is the row
    of the checkpoint that the page is about."""
    names = [escape(each) for each in labels]
    traces = [_line("this prompt", x, prompt, label, names)]
    if twin is not None:
        traces.append(_line("beside it", x, twin, twin_label, names) | {"opacity": 0.55})
    wrong = np.isfinite(prompt) & ((prompt > 0) != (label == "unsafe"))
    if wrong.any():
        traces.append(_crosses(x[wrong], prompt[wrong], [names[row] for row in np.flatnonzero(wrong)]))
    step = max(1, int(np.ceil((float(x.max()) - float(x.min())) / MOST_TICKS))) if len(x) else 1
    across = axis(x_title) | {"dtick": step, "tickformat": "d"}
    if len(x) == 1:
        across |= {"range": [float(x[0]) - 1, float(x[0]) + 1]}
    found = layout(escape(title), across, axis("score (nats)"))
    found["shapes"] = [_across(), _upright(float(x[shown]))]
    figure = go.Figure({"data": traces, "layout": found})
    figure.layout.template = None
    return figure


def _line(name: str, x: np.ndarray, y: np.ndarray, label: Label, names: list[str]) -> dict[str, Any]:
    look = line_style(CLASS_COLOUR[label], CLASS_DASH[label], CLASS_SYMBOL[label], len(x), 6)
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": f"{name} ({label})",
        "text": names,
        "connectgaps": False,
        "hovertemplate": "%{text}: %{y:.2f} nats<extra>%{fullData.name}</extra>",
    } | look


def _crosses(x: np.ndarray, y: np.ndarray, names: list[str]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "markers",
        "name": "judged wrongly",
        "text": names,
        "marker": {"symbol": "x-thin", "size": 13, "line": {"width": 2.4, "color": GREY}, "color": GREY},
        "hovertemplate": "%{text}: judged wrongly at %{y:.2f} nats<extra></extra>",
    }


def _across() -> dict[str, Any]:
    """The judge's own boundary."""
    line = {"color": GREY, "width": 1.2, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": line, "layer": "below"}


def _upright(x: float) -> dict[str, Any]:
    line = {"color": GREY, "width": 1.2}
    return {"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line, "layer": "below"}
