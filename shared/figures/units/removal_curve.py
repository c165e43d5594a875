"""The ablation curve: share of the separation left when more and more of the strongest neurons are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import BLUE, GREY, INK
from shared.findings.unit_sentences import share_words, size_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings.parts import Interval
    from shared.findings.removal_curve import RemovalCurve


def curve_axes(curve: RemovalCurve | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The x and y axis for `draw_curve`: neurons on a log scale, and the share that is left."""
    decades = [10**power for power in range(8) if curve is None or 10**power <= curve.total]
    x = {"title": "neurons removed together", "type": "log", "zeroline": False, "tickvals": decades}
    x["ticktext"] = [f"{size:,}" if size < 1e6 else f"{size / 1e6:g} M" for size in decades]
    y = {"title": "separation left", "tickformat": ".0%", "nticks": 5, "zeroline": True, "rangemode": "tozero"}
    return x, y


def draw_curve(sheet: Sheet, pane: Pane, curve: RemovalCurve | None, missing: str) -> None:
    """The strongest in blue with their interval, random ones in grey, and where half is left."""
    if curve is None or not curve.points:
        sheet.say_missing(pane, missing)
        return
    left = [(point.removed, point.left) for point in curve.points if point.left is not None]
    x = np.array([size for size, _ in left], dtype=float)
    sheet.ribbon(pane, x, [share.low for _, share in left], [share.high for _, share in left], BLUE)
    _draw_line(sheet, pane, left, "strongest", {"color": BLUE, "width": 2}, "circle")
    random = [(point.removed, point.random) for point in curve.points if point.random is not None]
    if random:
        _draw_line(sheet, pane, random, "as many random", {"color": GREY, "width": 1.5, "dash": "dot"}, "square")
    bottom, top = pane.up  # inside: above stands the heading, and the lower left is where no curve goes
    inside = {"orientation": "v", "x": pane.across[0] + 0.005, "y": bottom + 0.15 * (top - bottom)}
    sheet.layout[f"legend{pane.suffix}"] |= inside | {"font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)"}
    line = {"type": "line", "xref": f"{pane.x} domain", "x0": 0, "x1": 1, "yref": pane.y, "y0": 0.5, "y1": 0.5}
    sheet.shapes.append(line | {"line": {"color": INK, "width": 1, "dash": "dash"}, "layer": "below"})
    if curve.half is not None:
        words = f"half is gone at {size_words(curve.half)}"
        sheet.note(words, pane, x=0.02, xanchor="left", y=0.02, yanchor="bottom", size=11, colour=INK)


def _draw_line(
    sheet: Sheet, pane: Pane, points: Sequence[tuple[int, Interval]], name: str, line: dict[str, Any], symbol: str
) -> None:
    sheet.draw(
        pane,
        x=np.array([size for size, _ in points], dtype=float),
        y=np.array([share.value for _, share in points]),
        mode="lines+markers",
        name=name,
        line=line,
        marker={"size": 6, "symbol": symbol, "color": line["color"]},
        customdata=[share_words(share) for _, share in points],
        hovertemplate=f"%{{x:,.0f}} {name} neurons removed: %{{customdata}} of the separation left<extra></extra>",
    )
