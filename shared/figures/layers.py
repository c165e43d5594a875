"""One sample's way through the layers: the verdict read early, and how much each part writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_axis import hover_names, layer_axis, name_boundary, residual_axis, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_DASH, GREEN, GREY, INK, PURPLE, line_style, nice_limit
from shared.findings.text import counted

if TYPE_CHECKING:
    from shared.findings.layers import LayersResult, LensBand, SampleLayers

_HOVER = "%{fullData.name}<br>%{text}: %{y:.3f}<extra></extra>"


def layers_figure(sample: SampleLayers, result: LayersResult, title: str, subtitle: str) -> go.Figure:
    """Logit lens over class bands, residual norm, and write norms, above one layer axis.

    `title` and `subtitle` are already escaped. The scales cover all samples, so that their figures compare.
    """
    sheet = Sheet(740, title, subtitle, top=112)
    axis = layer_axis(result.layers)
    quiet = axis | {"showticklabels": False, "matches": "x"}
    named = quiet | {"showticklabels": True, "title": "layer (emb: the embeddings; l: after layer l)"}
    lens = sheet.pane(up=(0.54, 1), x=axis | {"showticklabels": False}, y=lens_axis(result))
    norm = sheet.pane(up=(0.3, 0.46), x=quiet, y=norm_axis(result, "residual norm", ("residual_norm",)))
    writes = ("attention_write", "mlp_write")
    parts = sheet.pane(up=(0, 0.22), x=named, y=norm_axis(result, "write norm", writes))
    _draw_lens(sheet, lens, sample, result)
    _draw_norms(sheet, norm, sample, result)
    _draw_writes(sheet, parts, sample, result)
    shade_frozen(sheet, result.layers, result.frozen_boundary, result.embeddings_frozen)
    name_boundary(sheet, lens, result.layers, result.frozen_boundary, result.frozen_from)
    return sheet.figure()


def lens_axis(result: LayersResult) -> dict:
    values = [value for sample in result.samples for value in sample.lens or []]
    values += [bound for band in result.bands for point in band.score for bound in (point.low, point.high)]
    limit = nice_limit(values) * 1.06
    return {"title": "score read early (nats)", "range": [-limit, limit], "zerolinecolor": GREY}


def norm_axis(result: LayersResult, title: str, names: tuple[str, ...]) -> dict:
    """From 0 to a round upper end over all samples."""
    values = [value for sample in result.samples for name in names for value in getattr(sample, name) or []]
    return {"title": title, "range": [0, nice_limit(values) * 1.04], "nticks": 5}


def _draw_lens(sheet: Sheet, pane: Pane, sample: SampleLayers, result: LayersResult) -> None:
    axis = residual_axis(result.layers)
    for band in result.bands:
        draw_band(sheet, pane, band, axis)
    if sample.lens is None:
        sheet.say_missing(pane, "logit lens not available for this judge")
    else:
        look = line_style(INK, "solid", "diamond", len(axis), 8)
        name = f"this prompt ({sample.label})"
        sheet.draw(
            pane, x=axis, y=np.array(sample.lens), name=name, text=hover_names(axis), hovertemplate=_HOVER, **look
        )
    sheet.note("unsafe ▲", pane, x=0.995, xanchor="right", y=1, yanchor="top")
    sheet.note("safe ▼", pane, x=0.995, xanchor="right", y=0, yanchor="bottom")


def draw_band(sheet: Sheet, pane: Pane, band: LensBand, axis: np.ndarray, name: str = "") -> None:
    """The interval as a ribbon and the class mean as a thin line."""
    colour = CLASS_COLOUR[band.label]
    low, high = np.array([p.low for p in band.score]), np.array([p.high for p in band.score])
    sheet.ribbon(pane, axis, low, high, colour)
    sheet.draw(
        pane,
        x=axis,
        y=np.array([point.value for point in band.score]),
        name=name or f"mean of {counted(band.count, f'{band.label} prompt')}, 95 % interval",
        mode="lines",
        line={"color": colour, "dash": CLASS_DASH[band.label], "width": 1.8},
        text=hover_names(axis),
        hovertemplate=_HOVER,
    )


def _draw_norms(sheet: Sheet, pane: Pane, sample: SampleLayers, result: LayersResult) -> None:
    axis = residual_axis(result.layers)
    sheet.draw(
        pane,
        x=axis,
        y=np.array(sample.residual_norm),
        name="residual stream: mean length over this prompt's tokens",
        showlegend=True,
        text=hover_names(axis),
        hovertemplate=_HOVER,
        **line_style(GREY, "solid", "circle", len(axis), 6),
    )


def _draw_writes(sheet: Sheet, pane: Pane, sample: SampleLayers, result: LayersResult) -> None:
    layers = np.arange(result.layers)
    parts = (
        ("attention adds", sample.attention_write, line_style(GREEN, "solid", "triangle-up", len(layers), 8)),
        ("MLP adds", sample.mlp_write, line_style(PURPLE, "dash", "square", len(layers))),
    )
    for name, values, look in parts:
        if values is not None:
            sheet.draw(
                pane,
                x=layers,
                y=np.array(values),
                name=name,
                showlegend=True,
                text=hover_names(layers),
                hovertemplate=_HOVER,
                **look,
            )
    if sample.attention_write is None and sample.mlp_write is None:
        sheet.say_missing(pane, "the parts of this model's layers are not known")
