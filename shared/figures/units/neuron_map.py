"""The neuron map: where the effect sits, what is left without the strongest, and what they respond to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.layer_rows import layer_rows, map_height, mark_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import GREY, INK, PALE
from shared.figures.units.removal_curve import curve_axes, draw_curve
from shared.figures.units.rows import (
    FROZEN,
    HEADING,
    JOINT_HEIGHT,
    ROW_HEIGHT,
    TUNED,
    UnitRow,
    bare_axis,
    draw_effects,
    draw_words,
    effect_axis,
    head,
    names_axis,
    pattern,
)
from shared.figures.units.words import context_hover, context_lines

if TYPE_CHECKING:
    from shared.findings.neurons import NeuronRow, NeuronsResult

FLOOR, CEILING = -5, 0
"""Colours of the map run from 10^FLOOR to 10^CEILING nats, at every epoch and for every judge."""
RANKS = 48
"""Most columns of the map; a column is about a twentieth of a decade of ranks."""
MAX_TOP, MAX_DECOYS = 12, 5
"""Most rows drawn; the table holds the others."""
_DECOYS_AFTER = 0.9
"""Rows between the strongest neurons and the decoys, for their heading."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 118, 24, 104, 60
_GAP = 160
"""Pixels between the map and the rows: axis title, colour scale, heading, legend."""


def neuron_map_figure(result: NeuronsResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """The map, the counts and the ablation curve above; below, a row for each of the strongest and the decoys.

    `title`, `subtitle` and `flags` are already escaped.
    """
    top_rows, decoys = shown(result)
    neurons = [*top_rows, *decoys]
    places = [*range(len(top_rows)), *(len(top_rows) + _DECOYS_AFTER + i for i in range(len(decoys)))]
    count = max([2.0, *(place + 1 for place in places)])
    heights = [map_height(result.layers), ROW_HEIGHT * count]
    height, (above, below) = stacked(heights, [_GAP])
    top = _TOP + flags_height(flags)
    sheet = Sheet(top + height + _BOTTOM, title, subtitle, top=top, bottom=_BOTTOM, left=_LEFT, right=_RIGHT)
    draw_flags(sheet, flags, lift=34)
    _draw_overview(sheet, result, above, JOINT_HEIGHT / height)
    _draw_rows(sheet, result, below, neurons, places, count)
    if decoys:
        _name_decoys(sheet, sheet.panes[3], places[len(top_rows)])
    return sheet.figure()


def shown(result: NeuronsResult) -> tuple[list[NeuronRow], list[NeuronRow]]:
    """The strongest neurons and the decoys that have a row."""
    return result.top[:MAX_TOP], result.decoys[:MAX_DECOYS]


_SHARE = {
    "title": "strongest … % of the layer's neurons (log scale)",
    "type": "log",
    "tickvals": [0.3, 1, 3, 10, 30, 100],
    "ticktext": ["0.3", "1", "3", "10", "30", "100 %"],
    "zeroline": False,
}


def _draw_overview(sheet: Sheet, result: NeuronsResult, up: tuple[float, float], curve_height: float) -> None:
    layer = layer_rows(result.layers)
    effects = sheet.pane((0, 0.4), up, _SHARE, layer)
    counts = sheet.pane(
        (0.478, 0.63),
        up,
        {"title": "significant neurons", "rangemode": "tozero", "nticks": 4},
        layer | {"title": "", "showticklabels": False, "matches": effects.y},
    )
    x, y = curve_axes(result.curve)
    curve = sheet.pane((0.72, 1), (up[1] - curve_height, up[1]), x, y)
    _draw_map(sheet, effects, result)
    _draw_counts(sheet, counts, result)
    draw_curve(sheet, curve, result.curve, "none were removed")
    mark_frozen(sheet, (effects, counts), result.layers, result.frozen_boundary)
    for pane, words in (
        (effects, "Where the effect sits"),
        (counts, "What is selective"),
        (curve, "Removed together"),
    ):
        head(sheet, pane, words)


def rank_map(rows: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Means of |effect| by rank in columns of equal width on a log axis, and the columns' edges in percent.

    `rows` hold equal bins, strongest first, as many in every row.  -> (layers, columns), (columns + 1,)
    """
    values = np.array(rows, dtype=np.float64)
    bins = values.shape[1]
    edges = np.unique(np.round(np.geomspace(1, bins, RANKS)).astype(int))
    edges = np.concatenate([[0], edges])
    means = np.add.reduceat(values, edges[:-1], axis=1) / np.diff(edges)
    shares = 100.0 * edges / bins
    shares[0] = shares[1] / 2  # a log axis has no 0
    return means, shares


def _draw_map(sheet: Sheet, pane: Pane, result: NeuronsResult) -> None:
    means, edges = rank_map([layer.effect_by_rank for layer in result.by_layer])
    sheet.draw(
        pane,
        "heatmap",
        x=edges.astype(np.float32),
        y=np.arange(result.layers),
        z=np.log10(np.maximum(means, 10.0 ** (FLOOR - 3))).astype(np.float32),
        zmin=FLOOR,
        zmax=CEILING,
        colorscale="Cividis",
        showlegend=False,
        hovertemplate="layer %{y}, around the strongest %{x:.2~g} %<br>"
        "mean |effect| 10<sup>%{z:.1f}</sup> nats<extra></extra>",
        colorbar={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": pane.up[0],
            "yanchor": "top",
            "ypad": 46,
            "xpad": 0,
            "len": pane.across[1],
            "thickness": 9,
            "outlinewidth": 0.5,
            "outlinecolor": PALE,
            "tickvals": list(range(FLOOR, CEILING + 1)),
            "ticktext": ["≤ 0.00001", "0.0001", "0.001", "0.01", "0.1", "≥ 1"],
            "tickfont": {"size": 11},
            "title": {"text": "mean |effect| (nats), the same colours at every epoch", "side": "bottom"},
        },
    )
    sheet.traces[-1]["colorbar"]["title"]["font"] = {"size": 12}


def _draw_counts(sheet: Sheet, pane: Pane, result: NeuronsResult) -> None:
    """Significant neurons by layer; the control is over all layers, and said in words."""
    for frozen, (colour, _, hatch) in ((False, TUNED), (True, FROZEN)):
        chosen = [layer for layer in result.by_layer if layer.frozen == frozen]
        if chosen:
            sheet.draw(
                pane,
                "bar",
                orientation="h",
                x=np.array([layer.significant for layer in chosen]),
                y=np.array([layer.layer for layer in chosen]),
                width=0.74,
                showlegend=False,
                marker={"color": colour, "pattern": pattern(hatch)},
                hovertemplate=f"layer %{{y}}{' (frozen)' if frozen else ''}: %{{x}} of {result.neurons_per_layer} "
                "significant<extra></extra>",
            )
    if not result.significant:
        sheet.note("none", pane, x=0.5, y=0.5, bgcolor="white")
    control = result.shuffled_significant
    words = f"{min(control)} to {max(control)}" if control else "not made"
    sheet.note(
        f"with shuffled labels, in all:<br>{words}", pane, x=0, y=0, yshift=-46, size=11, align="left",
        xanchor="left", yanchor="top",
    )  # fmt: skip


def _draw_rows(
    sheet: Sheet,
    result: NeuronsResult,
    up: tuple[float, float],
    neurons: Sequence[NeuronRow],
    places: Sequence[float],
    count: float,
) -> None:
    rows = [_unit_row(neuron, place) for neuron, place in zip(neurons, places, strict=True)]
    effects = sheet.pane((0, 0.36), up, effect_axis(rows, result.random_drops), names_axis(rows, count))
    auroc = {"title": "AUROC", "range": [-0.06, 1.06], "tickvals": [0, 0.5, 1]}
    auroc |= {"ticktext": ["0<br>safe", "0.5", "1<br>unsafe"]}
    selective = sheet.pane((0.39, 0.52), up, auroc, bare_axis(effects))
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    words = sheet.pane((0.545, 1), up, hidden, bare_axis(effects) | {"visible": False})
    head(sheet, effects, "Neurons that were chosen, each alone", lift=30)
    if not rows:  # an axis on which nothing is drawn has no place for a heading
        sheet.say_missing(effects, "no neuron was removed")
        return
    head(sheet, selective, "Selectivity", lift=30)
    head(sheet, words, "Tokens in context", lift=30)
    draw_effects(sheet, effects, rows, result.random_drops)
    draw_words(sheet, words, rows)
    _draw_selectivity(sheet, selective, neurons, places, result.fdr)


def _unit_row(neuron: NeuronRow, place: float) -> UnitRow:
    return UnitRow(
        name=neuron.name,
        frozen=neuron.frozen,
        effect=neuron.effect,
        integrated=neuron.effect_integrated,
        disputed=neuron.disputed,
        ablation=neuron.ablation,
        lines=context_lines(neuron.tokens),
        hover=context_hover(neuron.tokens),
        place=place,
    )


def _draw_selectivity(
    sheet: Sheet, pane: Pane, neurons: Sequence[NeuronRow], places: Sequence[float], fdr: float
) -> None:
    """AUROC of each neuron; filled where it is significant."""
    styles = [FROZEN if neuron.frozen else TUNED for neuron in neurons]
    open_or_not = ["" if neuron.q_value <= fdr else "-open" for neuron in neurons]
    sheet.vertical(pane, 0.5, color=GREY, width=1.2, dash="dot")
    sheet.draw(
        pane,
        x=np.array([neuron.auroc for neuron in neurons]),
        y=np.array(places, dtype=float),
        mode="markers",
        showlegend=False,
        marker={
            "color": [colour for colour, _, _ in styles],
            "symbol": [symbol + end for (_, symbol, _), end in zip(styles, open_or_not, strict=True)],
            "size": 10,
            "line": {"width": 1.4},
        },
        customdata=[[neuron.name, f"{neuron.q_value:.2g}"] for neuron in neurons],
        hovertemplate="<b>%{customdata[0]}</b>: AUROC %{x:.3f}, q %{customdata[1]}<extra></extra>",
    )


def _name_decoys(sheet: Sheet, pane: Pane, place: float) -> None:
    """A line and a heading above the first decoy, which stands at `place`."""
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": GREY, "width": 1}}
    sheet.shapes.append(line | {"yref": pane.y, "y0": place - 1.25, "y1": place - 1.25})
    words = "<b>Decoys</b>: selective, but less than 1 % of the separation is lost without them"
    where = {"xref": "paper", "x": 0, "xanchor": "left", "yref": pane.y, "y": place - 0.85, "yanchor": "middle"}
    sheet.note(words, size=HEADING, colour=INK, **where)
