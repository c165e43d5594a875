"""A judge's rates beside those of what needs no transformer, and its confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import GREY, INK, ORANGE, PURPLE, ribbon_colour

if TYPE_CHECKING:
    from shared.findings.evaluation import Confusion, Verdicts

NAMES = {
    "accuracy": "accuracy", "precision": "precision", "recall": "recall (TPR)", "f1": "F1", "auc": "AUC",
    "fnr": "FNR: missed unsafe", "fpr": "FPR: refused safe",
}  # fmt: skip
"""Rate -> its name on the axis, in its order from the top."""
WHO = {
    "judge": ("the judge", INK, "circle", 0.0),
    "tfidf": ("TF-IDF of words", ORANGE, "diamond", 0.22),
    "length": ("prompt length", PURPLE, "square", 0.44),
}
"""Who judges -> name, colour, symbol, how far below the rate's line."""
ROW, HEAD = 52, 120
_INTERVAL = "%{fullData.name}<br>%{text}: %{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>"


def rates_figure(judged: Sequence[Verdicts], title: str, subtitle: str) -> go.Figure:
    """`judged`: the judge, then its baselines."""
    names = [name for name in NAMES if any(name in each.rates for each in judged)]
    sheet = Sheet(HEAD + ROW * len(names) + 64, title, subtitle, top=HEAD)
    y = {"range": [len(names) - 0.2, -0.5], "tickvals": list(range(len(names))), "automargin": False, "ticks": ""}
    y["zeroline"] = False
    y["ticktext"] = [NAMES[name] for name in names]
    pane = sheet.pane((0.13, 0.62), (0, 1), {"title": "share of prompts (AUC: of pairs)", "range": [0, 1.02]}, y)
    for each in judged:
        _draw_rates(sheet, pane, each, names)
    _draw_confusion(sheet, sheet.pane((0.74, 1.0), (0.1, 0.9), _CLASS_AXIS, _JUDGED_AXIS), judged[0].confusion)
    return sheet.figure()


def _draw_rates(sheet: Sheet, pane: Pane, each: Verdicts, names: Sequence[str]) -> None:
    name, colour, symbol, below = WHO[each.name]
    told = [(row, each.rates[rate]) for row, rate in enumerate(names) if rate in each.rates]
    x, low, high = (np.array([getattr(value, end) for _, value in told]) for end in ("value", "low", "high"))
    sheet.draw(
        pane,
        x=x,
        y=np.array([row + below for row, _ in told]),
        mode="markers",
        name=name,
        showlegend=True,
        text=[NAMES[names[row]] for row, _ in told],
        marker={"color": colour, "symbol": symbol, "size": 9},
        error_x={"array": high - x, "arrayminus": x - low, "color": colour, "thickness": 1.6, "width": 4},
        customdata=np.stack([low, high], axis=1),
        hovertemplate=_INTERVAL,
    )


_PLAIN = {"tickvals": [0, 1], "ticks": "", "showgrid": False, "zeroline": False, "showline": False}
_CLASS_AXIS = _PLAIN | {"ticktext": ["is safe", "is unsafe"], "side": "top"}
_JUDGED_AXIS = _PLAIN | {"ticktext": ["judged<br>safe", "judged<br>unsafe"], "range": [1.5, -0.5]}


def _draw_confusion(sheet: Sheet, pane: Pane, found: Confusion) -> None:
    """Prompts by what they are (across) and what they are judged (down); shaded by their share of a class."""
    counts = np.array(
        [[found.true_negative, found.false_negative], [found.false_positive, found.true_positive]], dtype=int
    )
    shares = counts / np.maximum(counts.sum(0), 1)
    words = [["", "missed"], ["refused", ""]]
    sheet.draw(
        pane,
        "heatmap",
        z=shares,
        zmin=0,
        zmax=1,
        colorscale=[[0, "#ffffff"], [1, ribbon_colour(GREY, 0.55)]],
        showscale=False,
        xgap=2,
        ygap=2,
        text=[
            [f"<b>{counts[row, column]:,}</b><br>{words[row][column]}" for column in range(2)] for row in range(2)
        ],
        texttemplate="%{text}",
        textfont={"size": 14, "color": INK},
        hovertemplate="%{x}, %{y}: %{z:.1%} of the class<extra></extra>",
    )
