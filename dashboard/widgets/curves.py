"""Small plots of a run, drawn in the browser as SVG (curves.js): a first page needs no plotting library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dashboard.widgets.script import calling
from shared.pages import small_svg as small
from shared.views.overview.curves import SmallPlots

ROOM = {
    "width": small.WIDTH,
    "height": small.HEIGHT,
    "left": small.LEFT,
    "right": small.WIDTH - small.RIGHT,
    "top": small.TOP,
    "bottom": small.HEIGHT - small.BOTTOM,
}
"""The picture, and where its plot ends, in the picture's units."""


@cache
def _component() -> Any:
    return component("midwatch_curves", js=calling("midwatchCurves"))


def show_curves(plots: SmallPlots, key: str, picked: Callable[[int], None]) -> None:
    """Draw the plots side by side; `picked` gets the entry whose place the reader clicks."""

    def clicked() -> None:
        entry = getattr(st.session_state[key], "picked", None)
        if isinstance(entry, int) and 0 <= entry < len(plots.names):
            picked(entry)

    _component()(key=key, data={"room": ROOM, "pictures": drawn(plots)}, on_picked_change=clicked)


def drawn(plots: SmallPlots) -> list[dict[str, Any]]:
    """What the script wants of each plot."""
    return [
        asdict(picture) | {"stops": [asdict(stop) for stop in small.stops(plot, plots)]}
        for picture, plot in zip(small.pictures(plots), plots.plots, strict=True)
    ]
