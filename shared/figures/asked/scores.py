"""One prompt's score at each checkpoint, over where the scores of the safe and unsafe probes lie there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, GREY, INK, line_style, ribbon_colour
from shared.findings.text import escape, shorten

if TYPE_CHECKING:
    from shared.records import Label

MAX_TICKS = 12
HALF = 0.34
"""Half the width of the boxes at one checkpoint, as a share of the distance to the next."""


class AtCheckpoint(Protocol):
    """What is drawn of one checkpoint: `shared.views.asked.moments.Moment`."""

    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def twin(self) -> float | None: ...
    @property
    def safe(self) -> tuple[float, ...]: ...
    @property
    def unsafe(self) -> tuple[float, ...]: ...


def scores_figure(moments: Sequence[AtCheckpoint], title: str, subtitle: str, shown: str = "") -> go.Figure:
    """The prompt and its twin as lines, the probes as boxes: their middle half, and within it the median.

    `title` and `subtitle` are already escaped; the checkpoint called `shown` is marked.
    """
    sheet = Sheet(400, title, subtitle, top=112, bottom=64)
    every = max(1, -(-len(moments) // MAX_TICKS))
    ticks = list(range(0, len(moments), every))
    x: dict[str, Any] = {
        "title": "checkpoint", "tickvals": ticks, "range": [-0.6, len(moments) - 0.4], "tickangle": 0,
        "ticktext": [escape(moments[place].label, 16) for place in ticks],
    }  # fmt: skip
    pane = sheet.pane(x=x, y={"title": "score (nats; above 0 is judged unsafe)", "zeroline": True})
    for side, label in ((-1, "safe"), (1, "unsafe")):
        _draw_probes(sheet, pane, moments, side, label)  # type: ignore[arg-type]
    places = np.arange(len(moments))
    names = [escape(moment.label) for moment in moments]
    _draw_line(sheet, pane, places, [m.twin for m in moments], names, "its twin", GREY, "dash", "diamond-open")
    _draw_line(sheet, pane, places, [m.score for m in moments], names, "this prompt", INK, "solid", "diamond")
    for place, moment in enumerate(moments):
        if moment.label == shown and len(moments) > 1:
            sheet.vertical(pane, place, color=GREY, width=1, dash="dot")
    sheet.note("unsafe ▲", pane, x=0.995, xanchor="right", y=1, yanchor="top")
    sheet.note("safe ▼", pane, x=0.995, xanchor="right", y=0, yanchor="bottom")
    return sheet.figure()


def _draw_probes(sheet: Sheet, pane: Pane, moments: Sequence[AtCheckpoint], side: int, label: Label) -> None:
    """Nine in ten of the probes' scores as a pale bar, the middle half as a darker one, the median as a dash."""
    known = [(place, getattr(moment, label)) for place, moment in enumerate(moments) if getattr(moment, label)]
    if not known:
        return
    at = np.array([place + side * HALF / 2 for place, _ in known])
    low, lower, middle, upper, high = np.array([values for _, values in known]).T
    hover = [
        f"{label} probes at {escape(moments[place].label)}<br>9 in 10 lie in {v[0]:.2f} to {v[4]:.2f}, half in "
        f"{v[1]:.2f} to {v[3]:.2f}<br>median {v[2]:.2f} nats"
        for place, v in known
    ]
    colour = CLASS_COLOUR[label]
    common: dict[str, Any] = {
        "width": HALF,
        "text": hover,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    hatch = {"shape": "/", "size": 6, "solidity": 0.1, "fgcolor": colour}
    for base, top, opacity, told in ((low, high, 0.16, False), (lower, upper, 0.4, True)):
        paint = ribbon_colour(colour, opacity)
        pattern = hatch | {"bgcolor": paint} if told and label == "unsafe" else {}
        sheet.draw(
            pane, "bar", x=at, y=top - base, base=base, showlegend=told,
            name=f"{label} probes (box: half of them, pale: 9 in 10)",
            marker={"color": paint, "pattern": pattern}, **common,
        )  # fmt: skip
    sheet.draw(
        pane, x=at, y=middle, mode="markers", showlegend=False, hoverinfo="skip",
        marker={"symbol": "line-ew", "size": 12, "line": {"color": colour, "width": 2}},
    )  # fmt: skip
    sheet.layout["barmode"] = "overlay"


def _draw_line(
    sheet: Sheet,
    pane: Pane,
    places: np.ndarray,
    values: Sequence[float | None],
    names: list[str],
    name: str,
    colour: str,
    dash: str,
    symbol: str,
) -> None:
    if all(value is None for value in values):
        return
    sheet.draw(
        pane,
        x=places,
        y=np.array([np.nan if value is None else value for value in values]),
        name=shorten(name, 40),
        showlegend=True,
        text=names,
        hovertemplate="%{fullData.name}<br>%{text}: %{y:+.2f} nats<extra></extra>",
        **line_style(colour, dash, symbol, len(places), 9),
    )
