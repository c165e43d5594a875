"""Layers as rows, the first at the bottom, with the frozen part marked: the y axis of maps of units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.figures.kit.sheet import Pane, Sheet
from shared.figures.kit.style import GREY, INK

_LABEL = 15
"""Pixels that a layer's number needs."""
_STRIP = "#57606a"


def map_height(layers: int) -> int:
    """Pixels for a map of so many layers: room for every row, yet never a whole screen."""
    return max(150, min(26 * layers, 13 * layers + 60, 520))


def layer_rows(layers: int) -> dict[str, Any]:
    """Axis settings; as many numbers as there is room for, the last layer always among them."""
    every = next(n for n in (1, 2, 4, 5, 10, 20, 50) if n * map_height(layers) / layers >= _LABEL or n == 50)
    shown = [layer for layer in range(0, layers, every) if layers - 1 - layer >= every] + [layers - 1]
    return {
        "title": "layer",
        "range": [-0.5, layers - 0.5],
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [str(layer) for layer in shown],
        "tickcolor": "rgba(0,0,0,0)",  # a tick's length keeps the numbers clear of the strip
        "ticklen": 9,
        "showgrid": False,
        "zeroline": False,
    }


def mark_frozen(sheet: Sheet, panes: Sequence[Pane], layers: int, boundary: int) -> None:
    """A dotted line at the boundary through `panes`.

    The first also gets a strip at its left along the frozen layers, and words at its right.
    """
    if boundary <= 0:
        return
    first = panes[0]
    sides = {"xref": f"{first.x} domain", "yref": first.y, "type": "rect", "line": {"width": 0}}
    sheet.shapes.append(sides | {"x0": -0.018, "x1": -0.004, "y0": -0.5, "y1": boundary - 0.5, "fillcolor": _STRIP})
    place = {"xref": f"{first.x} domain", "x": 1, "xanchor": "left", "yref": first.y, "y": boundary - 0.5}
    look = {"colour": INK, "size": 11, "xshift": 2}
    sheet.note("all frozen" if boundary >= layers else "▼ frozen", yanchor="top", **place, **look)
    if boundary >= layers:
        return
    sheet.note("▲ trains", yanchor="bottom", **place, **look)
    line = {"type": "line", "y0": boundary - 0.5, "y1": boundary - 0.5, "layer": "above"}
    line["line"] = {"color": GREY, "width": 1.6, "dash": "dot"}
    for pane in panes:
        sheet.shapes.append(line | {"xref": f"{pane.x} domain", "x0": 0, "x1": 1, "yref": pane.y})
