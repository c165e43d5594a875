"""The axes of a circuit's graph, and its height."""

from __future__ import annotations

from typing import Any

from shared.figures.circuits.layout import Layout
from shared.figures.kit.layer_axis import layer_axis


def graph_height(layout: Layout) -> int:
    """Pixels: room for every row, yet never a whole screen."""
    return int(min(560, max(250, 34 * layout.rows)))


def graph_axes(layout: Layout) -> tuple[dict[str, Any], dict[str, Any]]:
    """The axes: layers with input and verdict at the ends; heads, and the row of the MLPs."""
    x = layer_axis(layout.layers)
    room = 1 if layout.layers <= 14 else 2 if layout.layers <= 40 else 6  # layers that the word "verdict" takes
    inner = [layer for layer in x["tickvals"][1:] if layout.layers - layer >= room]
    x["tickvals"] = [-1, *inner, layout.layers]
    x["ticktext"] = ["input", *(str(layer) for layer in inner), "verdict"]
    x |= {"title": "layer", "range": [-1.5, layout.layers + 0.55], "showgrid": False}
    every = next(n for n in (1, 2, 4, 8, 16, 32) if layout.heads / n <= 16 or n == 32)
    heads = list(range(0, layout.heads, every))
    y = {
        "title": "head",
        "range": [layout.mlp_row + layout.room, -layout.room],
        "tickvals": [*heads, layout.mlp_row],
        "ticktext": [*(str(head) for head in heads), "MLP"],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
    return x, y
