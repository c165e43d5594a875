"""Read-outs by layer of two checkpoints on one scale, what changed, and how alike the layers are."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_axis import hover_names, layer_axis, residual_axis, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import (
    CLASS_COLOUR,
    CLASS_DASH,
    CLASS_SYMBOL,
    GREEN,
    GREY,
    INK,
    PURPLE,
    line_style,
    nice_limit,
)
from shared.findings.parting import ByLayer
from shared.findings.parts import layer_name
from shared.records import Label

_HOVER = "%{fullData.name}<br>%{text}: %{y:.3f}<extra></extra>"
_LEFT, _RIGHT = (0.0, 0.47), (0.55, 1.0)
_TOP, _BOTTOM = (0.56, 1.0), (0.0, 0.36)


def layers_figure(found: ByLayer, title: str, subtitle: str, names: tuple[str, str]) -> go.Figure:
    """`names` are of the shown checkpoint and of the other one; all text is already escaped."""
    sheet = Sheet(720, title, subtitle, top=116)
    axis = layer_axis(found.layers, most=14) | {"title": "layer"}
    limit = nice_limit(np.abs(np.concatenate([found.here, found.there])).max(0)) * 1.05
    scale = {"title": "score read early (nats)", "range": [-limit, limit], "zerolinecolor": GREY}
    for across, values, name in ((_LEFT, found.here, names[0]), (_RIGHT, found.there, names[1])):
        pane = sheet.pane(across, _TOP, axis, scale)
        _draw_classes(sheet, pane, values, found)
        sheet.note(f"<b>{name}</b>", pane, x=0.01, xanchor="left", y=1, yanchor="top", size=13, colour=INK)
    change = sheet.pane(_LEFT, _BOTTOM, axis, {"title": "change of the separation (nats)", "zerolinecolor": GREY})
    alike = sheet.pane(_RIGHT, _BOTTOM, axis, {"title": "CKA of the two", "range": [-0.03, 1.04]})
    _draw_change(sheet, change, found)
    _draw_cka(sheet, alike, found)
    shade_frozen(sheet, found.layers, found.frozen, found.embeddings_frozen)
    return sheet.figure()


def _draw_classes(sheet: Sheet, pane: Pane, values: np.ndarray, found: ByLayer) -> None:
    axis = residual_axis(found.layers)
    classes: tuple[tuple[Label, np.ndarray], ...] = (("unsafe", found.unsafe), ("safe", ~found.unsafe))
    for label, which in classes:
        if not which.any():
            continue
        low, high = np.quantile(values[which], [0.25, 0.75], axis=0)
        sheet.ribbon(pane, axis, low, high, CLASS_COLOUR[label])
        look = line_style(CLASS_COLOUR[label], CLASS_DASH[label], CLASS_SYMBOL[label], len(axis), 6)
        sheet.draw(
            pane,
            x=axis,
            y=values[which].mean(0),
            name=f"{int(which.sum())} {label}",
            text=hover_names(axis),
            hovertemplate=_HOVER,
            **look,
        )


def _draw_change(sheet: Sheet, pane: Pane, found: ByLayer) -> None:
    parted = found.found
    if parted is None:
        sheet.say_missing(pane, "prompts of one label only")
        return
    axis = residual_axis(found.layers)
    value, low, high = (
        np.array([getattr(point, end) for point in parted.change]) for end in ("value", "low", "high")
    )
    sheet.ribbon(pane, axis, low, high, PURPLE)
    sheet.draw(
        pane,
        x=axis,
        y=value,
        name="change, 95 % band over all layers",
        customdata=np.stack([low, high], axis=1),
        text=hover_names(axis),
        hovertemplate="%{text}: %{y:.3f} nats [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>",
        **line_style(PURPLE, "solid", "diamond", len(axis)),
    )
    if parted.layer is not None:
        sheet.vertical(pane, parted.layer, color=INK, width=1.4, dash="dot")
        words = f"part at {layer_name(parted.layer)}"
        right = parted.layer > found.layers / 2
        sheet.note(
            words, pane, xref=pane.x, x=parted.layer, xanchor="right" if right else "left", y=1, yanchor="top",
            xshift=-4 if right else 4, colour=INK,
        )  # fmt: skip


def _draw_cka(sheet: Sheet, pane: Pane, found: ByLayer) -> None:
    if found.cka is None:
        sheet.say_missing(pane, "not kept for both")
        return
    axis = residual_axis(found.layers)
    sheet.draw(
        pane,
        x=axis,
        y=np.array(found.cka),
        name="CKA, no interval",
        showlegend=True,
        text=hover_names(axis),
        hovertemplate=_HOVER,
        **line_style(GREEN, "solid", "circle", len(axis)),
    )
