"""Training progress: small plots over one axis, left how the judge performs, right what goes on inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, line_style
from shared.figures.kit.whole_ticks import whole_ticks
from shared.findings.rates import PERCENT

Style = tuple[str, str, str]
"""Colour, dash, symbol."""
STYLES: dict[str, Style] = {
    "train": (SKY, "solid", "circle-open"),
    "val": (BLUE, "solid", "circle"),
    "accuracy": (BLUE, "solid", "circle"),
    "f1": (GREEN, "dash", "square"),
    "auc": (PURPLE, "dashdot", "triangle-up"),
    "fnr": (VERMILLION, "solid", "square"),
    "fpr": (BLUE, "dash", "circle"),
    "fnr_probe": (VERMILLION, "dot", "square-open"),
    "fpr_probe": (BLUE, "dot", "circle-open"),
    "rate": (GREY, "solid", "circle"),
    "contrast": (GREEN, "solid", "diamond"),
    "probe_contrast": (GREEN, "dot", "diamond-open"),
    "inside": (BLUE, "solid", "circle"),
    "judge": (ORANGE, "dashdot", "triangle-up"),
    "layer": (PURPLE, "solid", "square"),
    "faithful": (GREEN, "solid", "circle"),
    "random": (GREY, "dot", "circle-open"),
    "shortcut": (ORANGE, "dash", "square"),
    "median": (BLUE, "solid", "circle"),
    "worst": (PURPLE, "dash", "square"),
    "tpr": (BLUE, "solid", "circle"),
    "tpr_loose": (GREEN, "dash", "square"),
    "mass_safe": (BLUE, "solid", "circle"),
    "mass_unsafe": (VERMILLION, "dash", "square"),
}
_ROW, _GAP = 172, 41
"""Pixels of a row; of them, between two rows, where the legend of the lower one stands."""


@dataclass(frozen=True)
class Line:
    """One curve of a plot."""

    name: str
    curve: Curve
    style: str
    """A key of STYLES."""


@dataclass(frozen=True)
class Plot:
    """One small plot."""

    title: str
    """Title of its y axis, with the unit."""
    lines: Sequence[Line]
    missing: str
    """What to say where there is nothing to draw."""
    limits: tuple[float | None, float | None] = (None, None)
    levels: Mapping[str, float] = field(default_factory=dict)
    """Horizontal reference lines by name: baselines, bounds, chance."""
    axis: Mapping[str, Any] = field(default_factory=dict)
    """More settings of the y axis, in Plotly's words."""


def progress_figure(
    plots: Sequence[Plot], x_title: str, title: str, subtitle: str, marks: Sequence[float] = ()
) -> go.Figure:
    """`plots` in two columns (the first half left, the second right), all over one x axis.

    `marks` are places on that axis with a dotted orange line through every plot.
    """
    rows = (len(plots) + 1) // 2
    sheet = Sheet(120 + _ROW * rows, title, subtitle, top=112)
    span = _span(plots)
    gap = _GAP / (sheet.height - sheet.top - sheet.bottom)
    height = (1 - (rows - 1) * gap) / rows
    for number, plot in enumerate(plots):
        column, row = divmod(number, rows)
        last = row == rows - 1
        x = whole_ticks(span) | {"range": span, "showticklabels": last, "title": x_title if last else ""}
        across = (0.0, 0.44) if column == 0 else (0.56, 1.0)
        roof = 1 - row * (height + gap)
        up = (max(roof - height, 0.0), roof)
        pane = sheet.pane(across, up, x | ({"matches": "x"} if number else {}), _y_axis(plot))
        _draw_plot(sheet, pane, plot, span)
        for mark in marks:
            sheet.vertical(pane, mark, color=ORANGE, width=1.4, dash="dot")
    return sheet.figure()


def _span(plots: Sequence[Plot]) -> list[float]:
    """The x range over all curves, from 0, with a little air so that the last marker is whole."""
    ends = [float(line.curve.x.max()) for plot in plots for line in plot.lines if len(line.curve.x)]
    return [0.0, max(ends, default=1.0) * 1.03]


def _y_axis(plot: Plot) -> dict:
    axis: dict = {"title": plot.title, "nticks": 5, "rangemode": "normal"}
    low, high = plot.limits
    still = _only_value(plot)
    if low is not None and high is None and still is not None and still > low:
        axis["range"] = [low, 2 * still - low]  # Plotly would draw one above and below, and 0.001 as if it were 0
    elif low is not None and high is not None:
        axis["range"] = [low, high]
    elif low is not None or high is not None:
        axis |= {"autorangeoptions": {"include": [edge for edge in plot.limits if edge is not None]}}
    return axis | dict(plot.axis)


def _only_value(plot: Plot) -> float | None:
    """The value that everything drawn has, such as a constant learning rate; None where there are several."""
    drawn = [
        part for line in plot.lines for part in (line.curve.y, line.curve.low, line.curve.high) if part is not None
    ]
    values = {float(value) for part in drawn for value in part if np.isfinite(value)} | set(plot.levels.values())
    return values.pop() if len(values) == 1 else None


def _draw_plot(sheet: Sheet, pane: Pane, plot: Plot, span: list[float]) -> None:
    drawn = [line for line in plot.lines if line.curve]
    for line in drawn:
        _draw_line(sheet, pane, line, plot.axis.get("tickformat") == PERCENT)
    if not drawn:
        sheet.say_missing(pane, plot.missing)
        return
    for number, (name, value) in enumerate(plot.levels.items()):
        sheet.draw(
            pane,
            x=np.array(span),
            y=np.array([value, value], dtype=float),
            mode="lines",
            name=name,
            line={"color": GREY, "dash": ("dash", "dot", "dashdot")[number % 3], "width": 1.4},
            hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
        )


def _draw_line(sheet: Sheet, pane: Pane, line: Line, rate: bool) -> None:
    colour, dash, symbol = STYLES[line.style]
    curve = line.curve
    look = line_style(colour, dash, symbol, len(curve.x), 6)
    if curve.low is not None and curve.high is not None:
        for part in _stretches(np.isfinite(curve.low) & np.isfinite(curve.high)):
            _draw_interval(sheet, pane, curve.x[part], curve.low[part], curve.high[part], colour)
    sheet.draw(
        pane,
        x=curve.x,
        y=curve.y,
        name=line.name,
        showlegend=True,
        connectgaps=False,
        hovertemplate=f"%{{fullData.name}}<br>%{{x}}: %{{y:{PERCENT if rate else '.4g'}}}<extra></extra>",
        **look,
    )


def _draw_interval(sheet: Sheet, pane: Pane, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """A ribbon, or a bar where there is a single point to put it round."""
    if len(x) > 1:
        sheet.ribbon(pane, x, low, high, colour)
    else:
        bar = {"mode": "lines", "line": {"color": colour, "width": 1.4}, "hoverinfo": "skip", "showlegend": False}
        sheet.draw(pane, x=np.repeat(x, 2), y=np.concatenate([low, high]), **bar)


def _stretches(known: np.ndarray) -> list[np.ndarray]:
    """Indices of each run of known points: a ribbon must not bridge a gap."""
    places = np.flatnonzero(known)
    return [part for part in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(part)]


@dataclass(frozen=True)
class Curve:
    """Values over the run's x axis (epochs or steps); `low` and `high` are the 95 % interval where there is one."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def without_interval(self) -> Curve:
        return Curve(self.x, self.y)

    def __bool__(self) -> bool:
        return bool(np.isfinite(self.y).any())
