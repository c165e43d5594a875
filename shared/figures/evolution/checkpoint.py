"""What changed since the previous and the first checkpoint: layers, attribution, neurons and edges, the circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from shared.figures.circuits.words import kept
from shared.figures.evolution.words import edges_word, named_lines
from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.layer_axis import hover_names, layer_axis, residual_axis, shade_frozen
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import (
    BLUE,
    CLASS_COLOUR,
    CLASS_SYMBOL,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    line_style,
)
from shared.figures.units.rows import head, pattern
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.evolution import AttributionDrift, EvolutionResult, SetChange
    from shared.findings.parts import Interval
    from shared.records import Label

_TOP, _BOTTOM, _UPPER, _GAP, _LEFT = 138, 64, 220, 118, 76
_LINE = 19
"""Pixels of a line of names."""
_KEPT, _BORN, _LOST = ("kept", "#afb8c1", ""), ("born", SKY, "."), ("lost", ORANGE, "/")
"""Name, colour, hatching."""


@dataclass(frozen=True)
class Since:
    """One of the checkpoints that this one is compared with, and what there is of the comparison."""

    label: str
    """Escaped, e.g. "epoch 2"."""
    cka: list[float] | None
    correlations: list[tuple[AttributionDrift, float]]
    """Prompts with their Spearman correlation."""
    mean: Interval | None
    neurons: SetChange | None
    edges: SetChange | None
    colour: str
    dash: str
    symbol: str


def comparisons(result: EvolutionResult) -> list[Since]:
    """The previous checkpoint, then the first one where that is another; none at the first checkpoint."""
    found = []
    if result.previous is not None:
        pairs = [(row, row.to_previous) for row in result.drift if row.to_previous is not None]
        parts = (result.cka_to_previous, pairs, result.drift_to_previous)
        sets = (result.neurons_to_previous, result.edges_to_previous)
        found.append(Since(escape(result.previous.label), *parts, *sets, BLUE, "solid", "circle"))
    if result.first is not None and result.first != result.previous:
        pairs = [(row, row.to_first) for row in result.drift if row.to_first is not None]
        parts = (result.cka_to_first, pairs, result.drift_to_first)
        sets = (result.neurons_to_first, result.edges_to_first)
        found.append(Since(escape(result.first.label), *parts, *sets, VERMILLION, "dash", "square"))
    return found


def evolution_figure(result: EvolutionResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Four plots and a few names; or the words that nothing comes before. All text given is already escaped."""
    since = comparisons(result)
    if not since:
        return _nothing_before(title, subtitle)
    names = named_lines(result)
    lower = max(150, 46 * 2 * len(since))
    height, (above, below) = stacked([_UPPER, lower], [_GAP])
    top, bottom = _TOP + flags_height(flags), _BOTTOM + _LINE * len(names) + (24 if names else 0)
    sheet = Sheet(top + height + bottom, title, subtitle, top=top, bottom=bottom, left=_LEFT)
    draw_flags(sheet, flags, lift=60)
    _draw_cka(sheet, result, since, above)
    _draw_drift(sheet, since, above)
    _draw_sets(sheet, result, since, below)
    _draw_transfer(sheet, result, below)
    for number, line in enumerate(names):
        shift = -_BOTTOM - 6 - _LINE * number
        sheet.note(line, x=0, xanchor="left", y=0, yanchor="top", yshift=shift, colour=INK, align="left")
    return sheet.figure()


def _nothing_before(title: str, subtitle: str) -> go.Figure:
    sheet = Sheet(230, title, subtitle, top=90, bottom=20)
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    pane = sheet.pane(x=hidden, y=hidden)
    sheet.say_missing(pane, "the first analysed checkpoint: there is nothing before it to compare it with")
    return sheet.figure()


def _draw_cka(sheet: Sheet, result: EvolutionResult, since: Sequence[Since], up: tuple[float, float]) -> None:
    values = [value for each in since for value in each.cka or []]
    y = {"title": "CKA (1 = same)", "range": [min(0.0, *values, 0.0) - 0.02, 1.04], "nticks": 6}
    pane = sheet.pane((0, 0.56), up, layer_axis(result.layers, most=14) | {"title": "layer"}, y)
    head(sheet, pane, "Representations, layer by layer", lift=26)
    shade_frozen(sheet, result.layers, result.frozen_boundary, None)
    axis = residual_axis(result.layers)
    drawn = [each for each in since if each.cka is not None]
    for each in drawn:
        sheet.draw(
            pane,
            x=axis,
            y=np.array(each.cka, dtype=np.float32),
            name=f"since {each.label}",
            showlegend=True,
            text=hover_names(axis),
            hovertemplate=f"%{{text}}, since {each.label}: CKA %{{y:.3f}}<extra></extra>",
            **line_style(each.colour, each.dash, each.symbol, len(axis), 6),
        )
    if not drawn:
        sheet.say_missing(pane, "no representations of the other checkpoints")


def _draw_drift(sheet: Sheet, since: Sequence[Since], up: tuple[float, float]) -> None:
    x = {"title": "Spearman correlation (1 = same ranking)", "range": [-1.05, 1.05], "nticks": 5}
    pane = sheet.pane((0.68, 1), up, x, _rows_axis([f"since<br>{each.label}" for each in since]))
    head(sheet, pane, "Attribution, prompt by prompt", lift=26)
    sheet.vertical(pane, 1, color=GREY, width=1.2)
    told: set[str] = set()
    for row, each in enumerate(since):
        if each.correlations:
            _draw_prompts(sheet, pane, row, each, told)
        else:
            place = {"xref": pane.x, "x": 0, "yref": pane.y, "y": row}
            sheet.note("no attributions to compare", **place)
    if not told:
        sheet.draw(pane, x=[None], y=[None], showlegend=False, hoverinfo="skip")  # keeps the axes


def _draw_prompts(sheet: Sheet, pane: Pane, row: int, since: Since, told: set[str]) -> None:
    """A mark for each prompt, safe ones above unsafe ones, and the mean with its interval."""
    labels: tuple[tuple[Label, float], ...] = (("safe", -0.22), ("unsafe", 0.16))
    for label, lift in labels:
        chosen = [(drift.probe_id, value) for drift, value in since.correlations if drift.label == label]
        if not chosen:
            continue
        sheet.draw(
            pane,
            x=np.array([value for _, value in chosen], dtype=np.float32),
            y=row + lift + 0.1 * (np.arange(len(chosen)) * 0.618 % 1 - 0.5),  # spread, the same at every drawing
            mode="markers",
            name=label,
            legendgroup=label,
            showlegend=label not in told,
            marker={"color": CLASS_COLOUR[label], "symbol": f"{CLASS_SYMBOL[label]}-open", "size": 7},
            text=[escape(name, 24) for name, _ in chosen],
            hovertemplate=f"{label} prompt %{{text}}, since {since.label}: %{{x:.2f}}<extra></extra>",
        )
        told.add(label)
    mean = since.mean
    if mean is None:
        return
    sheet.draw(
        pane,
        x=np.array([mean.value]),
        y=np.array([row + 0.4]),
        mode="markers",
        name="mean (95 %)",
        legendgroup="mean",
        showlegend="mean" not in told,
        marker={"color": INK, "symbol": "diamond", "size": 9},
        error_x=_error(mean, INK),
        hovertemplate=f"mean since {since.label}: %{{x:.2f}} [{mean.low:.2f}, {mean.high:.2f}]<extra></extra>",
    )
    told.add("mean")


def _error(interval: Interval, colour: str) -> dict[str, Any]:
    high, low = [interval.high - interval.value], [interval.value - interval.low]
    return {"array": high, "arrayminus": low, "color": colour, "thickness": 1.4, "width": 4}


def _rows_axis(names: Sequence[str]) -> dict[str, Any]:
    return {
        "range": [len(names) - 0.45, -0.55],
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }


def _draw_sets(sheet: Sheet, result: EvolutionResult, since: Sequence[Since], up: tuple[float, float]) -> None:
    """Lost, kept and born as shares of all that were there then or now, their numbers inside."""
    rows = [(f"neurons since<br>{each.label}", each.neurons) for each in since]
    rows += [(f"{edges_word(result)} since<br>{each.label}", each.edges) for each in since]
    x = {"title": "share of all there then or now", "range": [0, 1.002], "tickformat": ".0%", "nticks": 6}
    pane = sheet.pane((0.06, 0.56), up, x, _rows_axis([name for name, _ in rows]))
    sheet.layout["barmode"] = "stack"
    compared = f" ({edges_word(result)}: the {result.n_edges:,} strongest)" if result.n_edges else ""
    head(sheet, pane, f"Kept, born and lost</b>{compared}<b>", lift=26)
    known = [(place, change) for place, (_, change) in enumerate(rows) if change is not None and _union(change)]
    unions = np.array([_union(change) for _, change in known])
    for (name, colour, hatch), count in zip((_LOST, _KEPT, _BORN), (_lost, _kept, _born), strict=True):
        counts = np.array([count(change) for _, change in known])
        sheet.draw(
            pane,
            "bar",
            orientation="h",
            x=counts / unions,
            y=[place for place, _ in known],
            width=0.62,
            name=name,
            showlegend=bool(known),
            marker={"color": colour, "pattern": pattern(hatch) | {"size": 8, "solidity": 0.2}},
            text=[f"{n:,}" if n > 0.04 * union else "" for n, union in zip(counts, unions, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": INK, "size": 12},
            customdata=[f"{n:,} {name}" for n in counts],
            hovertemplate="%{customdata} (%{x:.0%})<extra></extra>",
        )
    for place, (_, change) in enumerate(rows):
        if change is None or not _union(change):
            what = "none then, none now" if change is not None else _absent(result, place >= len(since))
            where = {"xref": f"{pane.x} domain", "x": 0.01, "xanchor": "left", "yref": pane.y, "y": place}
            sheet.note(what, **where)


def _absent(result: EvolutionResult, edges: bool) -> str:
    return "not compared: no circuits of both" if edges else "not compared: no neuron maps of both"


def _union(change: SetChange) -> int:
    return change.before + change.now - change.kept


def _lost(change: SetChange) -> int:
    return change.before - change.kept


def _kept(change: SetChange) -> int:
    return change.kept


def _born(change: SetChange) -> int:
    return change.now - change.kept


def _draw_transfer(sheet: Sheet, result: EvolutionResult, up: tuple[float, float]) -> None:
    """What the previous checkpoint's circuit keeps in this judge, beside its own circuit and random ones."""
    found = result.transfer
    values = [0.0, 1.0]
    if found is not None:
        values += [found.faithfulness.low, found.faithfulness.high, found.own, *found.random]
    low, high = max(-1.0, min(values)), min(2.0, max(values))
    x = {"title": "share of the separation kept here", "range": [low - 0.05, high + 0.1], "tickformat": ".0%"}
    rows = _rows_axis(["earlier<br>circuit", "own<br>circuit", "random"])
    pane = sheet.pane((0.68, 1), up, x | {"nticks": 6}, rows)
    head(sheet, pane, "Does the earlier circuit still work?", lift=26)
    if found is None:
        sheet.say_missing(pane, "not run: no circuits of both")
        return
    for at in (0.0, 1.0):
        sheet.vertical(pane, at, color=GREY, width=1.2)
    edges = f"{found.edges:,} {edges_word(result)}"
    mine = (
        ("earlier circuit", found.faithfulness.value, INK, {"error_x": _error(found.faithfulness, ORANGE)}),
        ("own circuit", found.own, GREY, {}),
    )
    for row, (name, value, colour, error) in enumerate(mine):
        sheet.draw(
            pane,
            "bar",
            orientation="h",
            x=np.array([value]),
            y=[row],
            width=0.5,
            showlegend=False,
            marker={"color": colour},
            text=kept(value),
            textposition="inside" if value > 0.2 else "none",
            insidetextanchor="start",
            textfont={"color": "white", "size": 12},
            hovertemplate=f"{name}, {edges}: %{{x:.1%}}<extra></extra>",
            **error,
        )
        if value <= 0.2:
            place = {"xref": pane.x, "x": max(0.0, value, found.faithfulness.high if row == 0 else 0.0)}
            sheet.note(kept(value), yref=pane.y, y=row, xanchor="left", xshift=6, colour=INK, **place)
    sheet.draw(
        pane,
        x=np.array(found.random, dtype=np.float32),
        y=np.full(len(found.random), 2),
        mode="markers",
        showlegend=False,
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 2.2, "color": GREY}},
        hovertemplate=f"random circuit, {edges}: %{{x:.1%}}<extra></extra>",
    )
