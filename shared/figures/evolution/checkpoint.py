"""What changed since the previous and the first checkpoint: layers, attribution, neurons and edges, the circuit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.evolution.drift import draw_drift
from shared.figures.evolution.sets import draw_sets
from shared.figures.evolution.since import Since, comparisons
from shared.figures.evolution.transfer import draw_transfer
from shared.figures.evolution.words import named_lines
from shared.figures.kit.flags import draw_flags, flags_height
from shared.figures.kit.layer_axis import hover_names, layer_axis, residual_axis, shade_frozen
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.stack import stacked
from shared.figures.kit.style import INK, line_style
from shared.figures.units.rows import head

if TYPE_CHECKING:
    from shared.findings.evolution import EvolutionResult

_TOP, _BOTTOM, _UPPER, _GAP, _LEFT = 156, 64, 220, 118, 76
_LINE = 19
"""Pixels of a line of names."""


def evolution_figure(result: EvolutionResult, title: str, subtitle: str, flags: Sequence[str]) -> go.Figure:
    """Four plots and a few names; or the words that nothing comes before. All text given is already escaped."""
    since = comparisons(result)
    if not since:
        return _nothing_before(title, subtitle, result)
    names = named_lines(result)
    lower = max(150, 46 * 2 * len(since))
    height, (above, below) = stacked([_UPPER, lower], [_GAP])
    top, bottom = _TOP + flags_height(flags), _BOTTOM + _LINE * len(names) + (24 if names else 0)
    sheet = Sheet(top + height + bottom, title, subtitle, top=top, bottom=bottom, left=_LEFT)
    draw_flags(sheet, flags, lift=60)
    _draw_cka(sheet, result, since, above)
    draw_drift(sheet, since, above)
    draw_sets(sheet, result, since, below)
    draw_transfer(sheet, result, below)
    for number, line in enumerate(names):
        shift = -_BOTTOM - 6 - _LINE * number
        sheet.note(line, x=0, xanchor="left", y=0, yanchor="top", yshift=shift, colour=INK, align="left")
    return sheet.figure()


def _nothing_before(title: str, subtitle: str, result: EvolutionResult) -> go.Figure:
    sheet = Sheet(240, title, subtitle, top=100, bottom=20)
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    pane = sheet.pane(x=hidden, y=hidden)
    first = "the first analysed checkpoint: there is nothing before it to compare it with"
    sheet.say_missing(pane, first if result.previous is None else "the same bytes give the same numbers")
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
