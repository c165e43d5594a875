"""All display prompts' way through the layers in one figure: a line each, in front of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_axis import hover_names, layer_axis, name_boundary, residual_axis, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL, line_style
from shared.figures.layers import draw_band, lens_axis, norm_axis

if TYPE_CHECKING:
    from shared.findings.layers import LayersResult, SampleLayers

_DASHES = ("solid", "dot", "dashdot", "longdash")
"""Of the first, second, ... prompt of a class; the symbol says the class."""
_PARTS = (
    ("residual_norm", "residual norm"),
    ("attention_write", "attention adds"),
    ("mlp_write", "MLP adds"),
)


def together_figure(result: LayersResult, title: str, subtitle: str) -> go.Figure:
    """Logit lens of every display prompt over class bands; below, the norms of the residual stream and of what
    attention and MLP add. `title` and `subtitle` are already escaped."""
    sheet = Sheet(860, title, subtitle, top=128)
    axis = layer_axis(result.layers)
    quiet = axis | {"showticklabels": False, "matches": "x"}
    named = quiet | {"showticklabels": True, "title": "layer (emb: the embeddings; l: after layer l)"}
    lens = sheet.pane(up=(0.56, 1), x=axis | {"showticklabels": False}, y=lens_axis(result))
    norms = [
        sheet.pane(up=up, x=named if number == 2 else quiet, y=norm_axis(result, title, (name,)))
        for number, (up, (name, title)) in enumerate(
            zip(((0.38, 0.53), (0.19, 0.34), (0, 0.15)), _PARTS, strict=True)
        )
    ]
    points = residual_axis(result.layers)
    for band in result.bands:
        draw_band(sheet, lens, band, points, f"{band.label}, mean of {band.count}")
    looks = _looks(result)
    for number, sample in enumerate(result.samples):
        if sample.lens is not None:
            name = f"{number} ({sample.label})"
            _line(sheet, lens, points, sample.lens, name, looks[number], number, legend=True)
        for pane, (part, _) in zip(norms, _PARTS, strict=True):
            values = getattr(sample, part)
            if values is not None:
                at = points if len(values) == len(points) else points[1:]
                _line(sheet, pane, at, values, f"{number} ({sample.label})", looks[number], number)
    _say_what_is_missing(sheet, [lens, *norms], result.samples)
    shade_frozen(sheet, result.layers, result.frozen_boundary, result.embeddings_frozen)
    name_boundary(sheet, lens, result.layers, result.frozen_boundary, result.frozen_from)
    sheet.note("unsafe ▲", lens, x=0.995, xanchor="right", y=1, yanchor="top")
    sheet.note("safe ▼", lens, x=0.995, xanchor="right", y=0, yanchor="bottom")
    return sheet.figure()


def _looks(result: LayersResult) -> list[dict]:
    """Colour and symbol by class; within a class each prompt has its own dash."""
    seen = {"safe": 0, "unsafe": 0}
    found = []
    for sample in result.samples:
        dash = _DASHES[seen[sample.label] % len(_DASHES)]
        seen[sample.label] += 1
        found.append(line_style(CLASS_COLOUR[sample.label], dash, CLASS_SYMBOL[sample.label], result.layers + 1, 6))
    return found


def _line(
    sheet: Sheet,
    pane: Pane,
    at: np.ndarray,
    values: list[float],
    name: str,
    look: dict,
    group: int,
    legend: bool = False,
) -> None:
    sheet.draw(
        pane,
        x=at,
        y=np.array(values),
        name=name,
        legendgroup=f"sample{group}",
        showlegend=legend,
        text=hover_names(at),
        hovertemplate="%{fullData.name}<br>%{text}: %{y:.3f}<extra></extra>",
        **look,
    )


def _say_what_is_missing(sheet: Sheet, panes: list[Pane], samples: list[SampleLayers]) -> None:
    names = ("lens", *(part for part, _ in _PARTS))
    for pane, name in zip(panes, names, strict=True):
        if all(getattr(sample, name) is None for sample in samples):
            sheet.say_missing(pane, "logit lens not available" if name == "lens" else "not known of this model")
