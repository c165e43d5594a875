"""One word of a display prompt over the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from shared.figures.kit.sheet import Sheet
from shared.figures.kit.style import GREY, INK, line_style
from shared.figures.kit.whole_ticks import whole_ticks


def word_history(
    x: Sequence[float], shares: Sequence[float | None], labels: Sequence[str], x_title: str, shown: int | None
) -> go.Figure:
    """The word's share of the prompt's shift at each of `x` (epochs or steps); None is a gap. `shown` is the place
    of the checkpoint that the page shows."""
    sheet = Sheet(190, top=16, bottom=48)
    y = {"title": "share of the shift", "zerolinecolor": GREY, "rangemode": "tozero", "nticks": 5}
    pane = sheet.pane(x={"title": x_title, **whole_ticks(x)}, y=y)
    if shown is not None:
        sheet.vertical(pane, x[shown], color=INK, width=1.4, dash="dot")
    sheet.draw(
        pane,
        x=np.array(x, dtype=np.float32),
        y=np.array([np.nan if share is None else share for share in shares], dtype=np.float32),
        text=list(labels),
        showlegend=False,
        hovertemplate="%{text}: %{y:+.2f}<extra></extra>",
        **line_style(INK, "solid", "diamond", len(x)),
    )
    return sheet.figure()
