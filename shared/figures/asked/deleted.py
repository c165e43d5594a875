"""What the score becomes when each word is deleted for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import CLASS_COLOUR, CLASS_SYMBOL, GREY, INK
from shared.findings.text import escape

if TYPE_CHECKING:
    from shared.findings.asked import WordChange
    from shared.records import Label

MOST = 40
"""Words that are drawn, the strongest; the table has all."""


def deleted_figure(changes: Sequence[WordChange], score: float, title: str, subtitle: str) -> go.Figure:
    """A stem from the prompt's own score to that without each word, in the order of the text.

    `title` and `subtitle` are already escaped.
    """
    strongest = sorted(changes, key=lambda change: -abs(change.score - score))[:MOST]
    shown = sorted(strongest, key=lambda change: change.start)
    sheet = Sheet(380, title, subtitle, top=112, bottom=92)
    x = {
        "tickvals": list(range(len(shown))), "ticktext": [escape(change.old, 14) for change in shown],
        "tickangle": -40 if len(shown) > 10 else 0, "range": [-0.7, len(shown) - 0.3],
    }  # fmt: skip
    pane = sheet.pane(x=x, y={"title": "score without the word (nats)", "zeroline": True})
    stems = np.array([[place, place, np.nan] for place in range(len(shown))], dtype=float).ravel()
    ends = np.array([[score, change.score, np.nan] for change in shown], dtype=float).ravel()
    grey = {"color": GREY, "width": 1.4}
    sheet.draw(pane, x=stems, y=ends, mode="lines", line=grey, showlegend=False, hoverinfo="skip")
    own = {"color": INK, "width": 1.6}
    ends_of_line = np.array([-0.6, len(shown) - 0.4])
    sheet.draw(
        pane, x=ends_of_line, y=np.array([score, score]), mode="lines", line=own, showlegend=True,
        name="the whole prompt", hoverinfo="skip",
    )  # fmt: skip
    verdicts: tuple[Label, ...] = ("safe", "unsafe")
    for verdict in verdicts:
        mine = [(p, each) for p, each in enumerate(shown) if ("unsafe" if each.score > 0 else "safe") == verdict]
        if mine:
            sheet.draw(
                pane,
                x=np.array([place for place, _ in mine]),
                y=np.array([change.score for _, change in mine]),
                mode="markers",
                name=f"judged {verdict} without it",
                showlegend=True,
                marker={"color": CLASS_COLOUR[verdict], "symbol": CLASS_SYMBOL[verdict], "size": 10},
                text=[escape(change.old) for _, change in mine],
                customdata=np.array([change.score - score for _, change in mine]),
                hovertemplate="without %{text}: %{y:+.2f} nats (%{customdata:+.2f})<extra></extra>",
            )
    if len(changes) > MOST:
        sheet.note(f"the {MOST} of {len(changes)} words that move it most", pane, x=1, xanchor="right", y=1.02)
    return sheet.figure()
