"""What the heads that matter attend to in one prompt: a row a head, a column a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.findings.text import escape, signed

if TYPE_CHECKING:
    from shared.findings.asked import Attention

MOST = 60
"""Tokens that are drawn, the first; the table has all."""
ROW = 30


def attention_figure(found: Attention, title: str, subtitle: str) -> go.Figure:
    """Attention from where the verdict is read; of judges that read a mean, what each token gets on average.

    `title` and `subtitle` are already escaped.
    """
    tokens = found.tokens[:MOST]
    weights = np.array([(head.read or head.received)[:MOST] for head in found.heads])  # (heads, tokens)
    names = [f"L{head.layer}.H{head.head}" for head in found.heads]
    sheet = Sheet(112 + ROW * len(names) + 110, title, subtitle, top=96, bottom=110, left=70, right=86)
    labels = [escape(token, 12) or "·" for token in tokens]
    ticks = {"tickvals": list(range(len(tokens))), "ticktext": labels, "tickangle": -50, "showgrid": False}
    rows = {"tickvals": list(range(len(names))), "ticktext": names, "autorange": "reversed", "showgrid": False}
    pane = sheet.pane(x=ticks, y=rows)
    effects = [f"{name}, effect {signed(head.effect)} nats" for name, head in zip(names, found.heads, strict=True)]
    whole = [escape(token) for token in tokens]
    sheet.draw(
        pane, "heatmap", z=weights, zmin=0.0, zmax=float(max(weights.max(initial=0.0), 1e-9)),
        colorscale="Cividis", customdata=[[[effect, token] for token in whole] for effect in effects],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": "attention", "font": {"size": 12}}, "thickness": 12, "x": 1.01},
        xgap=1, ygap=2,
    )  # fmt: skip
    if len(found.tokens) > MOST:
        sheet.note(f"first {MOST} of {len(found.tokens)} tokens", pane, x=1, xanchor="right", y=1.08)
    return sheet.figure()
