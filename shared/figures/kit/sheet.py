"""A figure put together as plain dictionaries and handed to Plotly once.

Plotly validates every `update_...` and `add_...` call against its whole schema, so that building a figure of four
panes step by step takes ten times as long as this, which the dashboard's slider would feel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from shared.figures.kit.style import FONT, GREY, GRID, INK, PALE, ribbon_colour
from shared.figures.kit.text_layout import wrapped

LEFT, RIGHT = 76, 28
"""Margins in pixels."""
TITLE, SUBTITLE = 17, 13
"""Font sizes in pixels."""
LEGEND = 52
"""Pixels above the plots that a legend takes."""
WIDTH = 940
"""Pixels, as estimated, that title and subtitle may take: bold ones are 0.92 of that, and a figure is 900 wide at
least. Longer ones go on in a line below, and the figure grows by it."""


@dataclass(frozen=True)
class Pane:
    """One plot of a sheet: the names of its axes, and its place as shares of the sheet's drawing area."""

    number: int
    across: tuple[float, float]
    up: tuple[float, float]

    @property
    def suffix(self) -> str:
        """What Plotly appends to "x", "yaxis", "legend": nothing for the first."""
        return "" if self.number == 1 else str(self.number)

    @property
    def x(self) -> str:
        return f"x{self.suffix}"

    @property
    def y(self) -> str:
        return f"y{self.suffix}"


@dataclass
class Sheet:
    """Collects panes, traces and notes; `figure()` makes the Plotly figure with the common look."""

    height: int
    """Pixels."""
    title: str = ""
    """Already escaped, like all text given to a sheet."""
    subtitle: str = ""
    top: int = 100
    bottom: int = 56
    left: int = LEFT
    right: int = RIGHT
    traces: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    panes: list[Pane] = field(default_factory=list)

    def pane(
        self,
        across: tuple[float, float] = (0, 1),
        up: tuple[float, float] = (0, 1),
        x: dict[str, Any] | None = None,
        y: dict[str, Any] | None = None,
    ) -> Pane:
        """A new plot with its own axes and its own legend above it; `x` and `y` are Plotly axis settings."""
        pane = Pane(len(self.panes) + 1, across, up)
        self.panes.append(pane)
        self.layout[f"xaxis{pane.suffix}"] = (
            _AXIS | {"domain": list(across), "anchor": pane.y, "zeroline": False} | _titled(x)
        )
        self.layout[f"yaxis{pane.suffix}"] = _AXIS | {"domain": list(up), "anchor": pane.x} | _titled(y)
        self.layout[f"legend{pane.suffix}"] = {
            "orientation": "h",
            "traceorder": "normal",
            "x": across[0],
            "xanchor": "left",
            "y": up[1],
            "yanchor": "bottom",
            "font": {"size": 12},
        }
        return pane

    def draw(self, pane: Pane, kind: str = "scatter", **trace: Any) -> None:
        """Add one trace, in Plotly's words."""
        place = {"xaxis": pane.x, "yaxis": pane.y, "legend": f"legend{pane.suffix}"}
        self.traces.append({"type": kind} | place | trace)

    def ribbon(self, pane: Pane, x: Any, low: Any, high: Any, colour: str) -> None:
        """A translucent band between two arrays over `x`; drawn before the line that belongs to it."""
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
        self.draw(pane, x=x, y=low, **edge)
        self.draw(pane, x=x, y=high, fill="tonexty", fillcolor=ribbon_colour(colour), **edge)

    def note(
        self, text: str, pane: Pane | None = None, *, size: int = 12, colour: str = GREY, **place: Any
    ) -> None:
        """Text at a place: in shares of `pane`, or of the drawing area; `place` overrides in Plotly's words."""
        refs = {"xref": "paper", "yref": "paper"}
        if pane is not None:
            refs = {"xref": f"{pane.x} domain", "yref": f"{pane.y} domain"}
        common = {"text": text, "showarrow": False, "font": {"size": size, "color": colour}}
        self.notes.append(common | refs | place)

    def say_missing(self, pane: Pane, text: str) -> None:
        """Say in the middle of an empty plot why it is empty."""
        # Plotly leaves out axes that no trace uses, and the text with them
        self.draw(pane, x=[None], y=[None], showlegend=False, hoverinfo="skip")
        self.note(text, pane, x=0.5, y=0.5, size=13, bgcolor="white")

    def vertical(self, pane: Pane, at: float, **line: Any) -> None:
        """A vertical line through a pane, behind the data."""
        self.shapes.append(self._through(pane) | {"type": "line", "x0": at, "x1": at, "line": line})

    def band(self, pane: Pane, start: float, end: float, colour: str) -> None:
        """A filled band over x through a pane, behind the data."""
        look = {"type": "rect", "x0": start, "x1": end, "fillcolor": colour, "line": {"width": 0}}
        self.shapes.append(self._through(pane) | look)

    def figure(self) -> go.Figure:
        """The figure, validated by Plotly once."""
        figure = go.Figure({"data": self.traces, "layout": self._base() | self.layout})
        figure.layout.template = None  # Plotly's default one: 6 kB in every figure, and all it says is said here
        return figure

    @staticmethod
    def _through(pane: Pane) -> dict[str, Any]:
        return {"xref": pane.x, "yref": f"{pane.y} domain", "y0": 0, "y1": 1, "layer": "below"}

    def _base(self) -> dict[str, Any]:
        title, subtitle = wrapped(self.title, TITLE, WIDTH), wrapped(self.subtitle, SUBTITLE, WIDTH)
        more = round(
            1.3 * (TITLE * (len(title) - 1) + SUBTITLE * (len(subtitle) - 1 - self.subtitle.count("<br>")))
        )
        return {
            "height": self.height + more,
            # without autoexpand: a long legend must not squeeze the plots
            "margin": {
                "l": self.left,
                "r": self.right,
                "t": self.top + more,
                "b": self.bottom,
                "autoexpand": False,
            },
            "font": {"family": FONT, "size": 13, "color": INK},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
            "hovermode": "closest",
            "autotypenumbers": "strict",
            "annotations": self.notes,
            "shapes": self.shapes,
            "title": {
                "text": f"<b>{'<br>'.join(title)}</b>",
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"t": 14 + 10 * (len(title) - 1), "l": 16},  # Plotly lets further lines grow upwards, too
                "font": {"size": TITLE},
                "subtitle": {"text": "<br>".join(subtitle), "font": {"size": SUBTITLE, "color": GREY}},
            },
        }


_AXIS: dict[str, Any] = {
    "gridcolor": GRID,
    "linecolor": PALE,
    "showline": True,
    "zerolinecolor": PALE,
    "zerolinewidth": 2,
    "automargin": True,
    "ticks": "outside",
    "tickcolor": PALE,
    "tickfont": {"size": 12},
}


def untitled(figure: go.Figure) -> go.Figure:
    """A copy without title and subtitle, and without their room: where the words stand beside it."""
    copy = go.Figure(figure)
    top, height = copy.layout.margin.t, copy.layout.height  # type: ignore[union-attr]
    copy.update_layout(title=None, margin={"t": LEGEND}, height=height - (top - LEGEND))
    return copy


def _titled(axis: dict[str, Any] | None) -> dict[str, Any]:
    """Axis settings with a plain `title` in the common size."""
    axis = dict(axis or {})
    if isinstance(axis.get("title"), str):
        axis["title"] = {"text": axis["title"], "font": {"size": 13}, "standoff": 8}
    return axis
