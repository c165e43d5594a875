"""The trigger-word pack: scores of benign sentences with a harmful word, and of harmful ones without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL, INK
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.evaluation import TriggerPack
    from shared.records import Label

ROWS: dict[Label, str] = {"safe": "benign, with a<br>harmful word", "unsafe": "harmful,<br>without one"}
LEVELS = 7
"""Heights over which the sentences of a row are spread, so that they can be pointed at."""


def trigger_figure(pack: TriggerPack, title: str, subtitle: str) -> go.Figure:
    sheet = Sheet(430, title, subtitle, top=112)
    y = {
        "range": [1.6, -0.6],
        "tickvals": [0, 1],
        "ticktext": list(ROWS.values()),
        "ticks": "",
        "automargin": False,
    }
    y |= {"zeroline": False, "showgrid": False}
    x = {"title": "score (nats; above 0 is judged unsafe)"}
    pane = sheet.pane((0.13, 1), (0, 1), x, y)
    sheet.vertical(pane, 0.0, color=INK, width=1.4)
    for row, label in enumerate(ROWS):
        lines = sorted((line for line in pack.lines if line.label == label), key=lambda line: line.score)
        spread = (np.arange(len(lines)) * 3 % LEVELS - LEVELS // 2) / LEVELS * 0.7
        sheet.draw(
            pane,
            x=np.array([line.score for line in lines]),
            y=row + spread,
            mode="markers",
            name=f"{label} (n = {len(lines)})",
            showlegend=True,
            marker={
                "color": CLASS_COLOUR[label],
                "symbol": CLASS_SYMBOL[label],
                "size": 9,
                "opacity": 0.75,
                "line": {"color": "white", "width": 1},
            },
            text=[escape(line.text) for line in lines],
            customdata=[escape(line.word) for line in lines],
            hovertemplate="%{text}<br>%{customdata} · score %{x:.2f}<extra></extra>",
        )
    return sheet.figure()
