"""Safe against unsafe by layer: where a linear probe can tell the classes apart, and beyond which noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.layer_axis import hover_names, layer_axis, residual_axis, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, line_style, nice_limit
from shared.findings.comparison import agreement, no_divergence
from shared.findings.parts import EMBEDDINGS, layer_name

if TYPE_CHECKING:
    from shared.findings.comparison import ComparisonResult
    from shared.findings.parts import Interval

_VALUE = "%{fullData.name}<br>%{text}: %{y:.3f}<extra></extra>"
_INTERVAL = "%{fullData.name}<br>%{text}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>"
_LOWER = (0.0, 0.34)
_LABEL_FILL = "rgba(255,255,255,0.85)"


def comparison_figure(result: ComparisonResult, title: str, subtitle: str) -> go.Figure:
    """Probe AUROC on top; below it class distance, contrast pairs and cosines, each over the layers."""
    sheet = Sheet(740, title, subtitle, top=112)
    wide = layer_axis(result.layers) | {"title": "layer"}
    small = layer_axis(result.layers, most=9) | {"title": "layer"}
    auroc = sheet.pane(up=(0.52, 1), x=wide, y=_auroc_axis(result))
    distance = sheet.pane((0, 0.27), _LOWER, small, _distance_axis(result))
    pairs = sheet.pane((0.365, 0.635), _LOWER, small, {"title": "share of contrast pairs", "range": [0, 1.03]})
    cosines = sheet.pane((0.73, 1), _LOWER, small, {"title": "cosine", "range": [-1.04, 1.04]})
    _draw_auroc(sheet, auroc, result)
    _draw_distance(sheet, distance, result)
    _draw_pairs(sheet, pairs, result)
    _draw_cosines(sheet, cosines, result)
    shade_frozen(sheet, result.layers, result.frozen_boundary, None)
    _mark_divergence(sheet, auroc, result)
    return sheet.figure()


def _auroc_axis(result: ComparisonResult) -> dict:
    lowest = min([0.43, *(p.auroc.low for p in result.points), *(p.control_p95 for p in result.points)])
    return {"title": "AUROC (0.5 is chance)", "range": [min(lowest, result.decision_auroc.value) - 0.03, 1.02]}


def _distance_axis(result: ComparisonResult) -> dict:
    top = nice_limit(bound for p in result.points for bound in (p.distance.high, p.distance_noise))
    return {"title": "class distance d′ (s.d.)", "range": [0, top * 1.03]}


def _draw_auroc(sheet: Sheet, pane: Pane, result: ComparisonResult) -> None:
    axis = residual_axis(result.layers)
    points = result.points
    _draw_interval(sheet, pane, axis, [p.auroc for p in points], "linear probe AUROC, 95 % interval", BLUE)
    _draw_line(sheet, pane, axis, [p.control_p95 for p in points], "shuffled labels, 95th percentile", GREY, "dot")
    judge = result.decision_auroc
    sheet.draw(
        pane,
        x=np.array([EMBEDDINGS, result.layers - 1]),
        y=np.array([judge.value, judge.value]),
        mode="lines",
        name=f"judge's own score: {judge.value:.3f}",
        line={"color": ORANGE, "dash": "dashdot", "width": 1.8},
        hovertemplate=f"judge's own score: {judge.value:.3f} [{judge.low:.3f}, {judge.high:.3f}]<extra></extra>",
    )


def _draw_distance(sheet: Sheet, pane: Pane, result: ComparisonResult) -> None:
    axis = residual_axis(result.layers)
    _draw_interval(sheet, pane, axis, [p.distance for p in result.points], "d′", ORANGE, "square")
    _draw_line(sheet, pane, axis, [p.distance_noise for p in result.points], "shuffled, 95th pct.", GREY, "dot")


def _draw_pairs(sheet: Sheet, pane: Pane, result: ComparisonResult) -> None:
    axis = residual_axis(result.layers)
    known = [(x, p.pair_accuracy) for x, p in zip(axis, result.points, strict=True) if p.pair_accuracy is not None]
    if not known:
        sheet.say_missing(pane, "no contrast pairs")
        return
    places = np.array([x for x, _ in known])
    _draw_interval(sheet, pane, places, [interval for _, interval in known], "ranked right", GREEN, "triangle-up")
    _draw_line(sheet, pane, axis, [0.5] * len(axis), "chance", GREY, "dot")


def _draw_cosines(sheet: Sheet, pane: Pane, result: ComparisonResult) -> None:
    axis = residual_axis(result.layers)
    means, pairs = [p.cosine for p in result.points], [p.pair_cosine for p in result.points]
    if any(value is not None for value in means):
        _draw_line(sheet, pane, axis, means, "class means", PURPLE, "solid", "square")
    if any(value is not None for value in pairs):
        _draw_line(sheet, pane, axis, pairs, "pair differences", GREEN, "dash", "triangle-up")
    if all(value is None for value in means + pairs):
        sheet.say_missing(pane, "not defined here")


def _draw_line(
    sheet: Sheet,
    pane: Pane,
    x: np.ndarray,
    values: Sequence[float | None],
    name: str,
    colour: str,
    dash: str,
    symbol: str = "circle",
) -> None:
    """A line; missing values leave a gap. Reference lines are dotted and have no markers."""
    look = line_style(colour, dash, symbol, len(x), 6) | ({"mode": "lines"} if dash == "dot" else {})
    y = np.array([np.nan if value is None else value for value in values], dtype=float)
    sheet.draw(pane, x=x, y=y, name=name, showlegend=True, text=hover_names(x), hovertemplate=_VALUE, **look)


def _draw_interval(
    sheet: Sheet,
    pane: Pane,
    x: np.ndarray,
    values: Sequence[Interval],
    name: str,
    colour: str,
    symbol: str = "circle",
) -> None:
    """A line in front of its 95 % interval."""
    low, high = np.array([v.low for v in values]), np.array([v.high for v in values])
    sheet.ribbon(pane, x, low, high, colour)
    sheet.draw(
        pane,
        x=x,
        y=np.array([v.value for v in values]),
        customdata=np.stack([low, high], axis=1),
        name=name,
        text=hover_names(x),
        hovertemplate=_INTERVAL,
        **line_style(colour, "solid", symbol, len(x)),
    )


def _mark_divergence(sheet: Sheet, pane: Pane, result: ComparisonResult) -> None:
    """A line through every pane at the divergence layer, or the plain words that there is none."""
    at = result.divergence_layer
    look = {"size": 13, "colour": INK, "bgcolor": _LABEL_FILL}
    if at is None:
        none = no_divergence(result) if result.to_explain.claimable else "the judge has nothing to tell apart"
        text = f"<b>no divergence layer: {none}</b>"
        sheet.note(text, pane, x=0.01, y=0.97, xanchor="left", yanchor="top", **look)
        return
    for each in sheet.panes:
        sheet.vertical(each, at, color=INK, width=1.4, dash="dash")
    left = at <= (result.layers - 1) / 2
    sheet.note(
        f"<b>divergence at {layer_name(at)}, {agreement(result)}</b>",
        pane,
        xref=pane.x,
        x=at,
        y=0.03,
        yanchor="bottom",
        xanchor="left" if left else "right",
        xshift=6 if left else -6,
        **look,
    )
