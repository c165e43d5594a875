"""Whether the previous checkpoint's circuit still works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.figures.circuits.words import kept
from shared.figures.evolution.rows import error_bars, rows_axis
from shared.figures.evolution.words import edges_word
from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import GREY, INK, ORANGE
from shared.figures.units.rows import head

if TYPE_CHECKING:
    from shared.findings.evolution import EvolutionResult


def draw_transfer(sheet: Sheet, result: EvolutionResult, up: tuple[float, float]) -> None:
    """What the previous checkpoint's circuit keeps in this judge, beside its own circuit and random ones."""
    found = result.transfer
    values = [0.0, 1.0]
    if found is not None:
        values += [found.kept.low, found.kept.high, found.own, *found.random]
    low, high = max(-1.0, min(values)), min(2.0, max(values))
    title = "share of the separation kept here (below 0: reversed)"
    x = {"title": title, "range": [low - 0.05, high + 0.1], "tickformat": ".0%"}
    rows = rows_axis(["earlier<br>circuit", "own<br>circuit", "random"])
    pane = sheet.pane((0.68, 1), up, x | {"nticks": 6}, rows)
    head(sheet, pane, "Does the earlier circuit still work?", lift=26)
    if found is None:
        sheet.say_missing(pane, "not run; the notes say why")
        return
    for at in (0.0, 1.0):
        sheet.vertical(pane, at, color=GREY, width=1.2)
    edges = f"{found.edges:,} {edges_word(result)}"
    mine = (
        ("earlier circuit", found.kept.value, INK, {"error_x": error_bars(found.kept, ORANGE)}),
        ("own circuit, in-sample", found.own, GREY, {}),
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
            place = {"xref": pane.x, "x": max(0.0, value, found.kept.high if row == 0 else 0.0)}
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
