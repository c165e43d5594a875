"""How alike the attributions then and now are, prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.figures.evolution.rows import error_bars, rows_axis
from shared.figures.evolution.since import Since
from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL, GREY, INK
from shared.figures.units.rows import head
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.records import Label


def draw_drift(sheet: Sheet, since: Sequence[Since], up: tuple[float, float]) -> None:
    """A row for each earlier checkpoint, with the Spearman correlation of every prompt."""
    x = {"title": "Spearman correlation (1 = same ranking)", "range": [-1.05, 1.05], "nticks": 5}
    pane = sheet.pane((0.68, 1), up, x, rows_axis([f"since<br>{each.label}" for each in since]))
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
        error_x=error_bars(mean, INK),
        hovertemplate=f"mean since {since.label}: %{{x:.2f}} [{mean.low:.2f}, {mean.high:.2f}]<extra></extra>",
    )
    told.add("mean")
