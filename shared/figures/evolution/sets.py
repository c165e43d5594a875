"""Which neurons and edges were kept, born and lost since then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.figures.evolution.rows import rows_axis
from shared.figures.evolution.since import Since
from shared.figures.evolution.words import edges_word
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import INK, ORANGE, SKY
from shared.figures.units.rows import head, pattern

if TYPE_CHECKING:
    from shared.findings.evolution import EvolutionResult, SetChange

_KEPT, _BORN, _LOST = ("kept", "#afb8c1", ""), ("born", SKY, "."), ("lost", ORANGE, "/")
"""Name, colour, hatching."""


def draw_sets(sheet: Sheet, result: EvolutionResult, since: Sequence[Since], up: tuple[float, float]) -> None:
    """Lost, kept and born as shares of all that were there then or now, their numbers inside."""
    rows = [(f"neurons since<br>{each.label}", each.neurons) for each in since]
    rows += [(f"{edges_word(result)} since<br>{each.label}", each.edges) for each in since]
    x = {"title": "share of all there then or now", "range": [0, 1.002], "tickformat": ".0%", "nticks": 6}
    pane = sheet.pane((0.06, 0.56), up, x, rows_axis([name for name, _ in rows]))
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
    return "not compared: no circuit claimed at both" if edges else "not compared: no neuron maps of both"


def _union(change: SetChange) -> int:
    return change.before + change.now - change.kept


def _lost(change: SetChange) -> int:
    return change.before - change.kept


def _kept(change: SetChange) -> int:
    return change.kept


def _born(change: SetChange) -> int:
    return change.now - change.kept
