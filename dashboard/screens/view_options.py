"""What a reader may choose about the figures of one analysis: a comparison, and how many edges are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.chrome.frame import Frame
from dashboard.chrome.reader_choice import EDGES, Selection, write_link
from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView
from dashboard.widgets.steered import steered
from shared.results_index import ResultFile
from shared.views import View

SIZES = (10, 20, 40, 80, 160, 400)
"""Numbers of edges to choose from; a result names its 400 strongest."""


@dataclass(frozen=True)
class Options:
    """What was chosen."""

    baseline: ResultFile | None = None
    """Draw the change since this result; None for the result itself."""
    shown: int = 0
    """Edges to draw; 0 where an analysis has no such choice."""


def view_options(frame: Frame, view: CheckpointView, analysis: View) -> Options:
    """The controls that this analysis has at this checkpoint, in one row."""
    other = frame.against
    if analysis.name not in cached.CHANGES or other is None or analysis.name not in other.results:
        other = None
    if other is None and analysis.name not in cached.SIZED:
        return Options()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        changed = other is not None and _change(frame.selection, view, other)
        shown = _size(frame.selection, view) if analysis.name in cached.SIZED else 0
    return Options(other.results[analysis.name] if other is not None and changed else None, shown)


def _change(chosen: Selection, view: CheckpointView, other: CheckpointView) -> bool:
    """The switch to the change since the checkpoint that the bar names."""

    def switched(on: bool) -> None:
        chosen.change = on
        write_link(chosen, view)

    st.toggle(f"Change since {other.label}", **steered("change", chosen.change, switched))
    return chosen.change


def _size(chosen: Selection, view: CheckpointView) -> int:
    """How many edges are drawn."""

    def picked(edges: int) -> None:
        chosen.edges = edges
        write_link(chosen, view)

    if chosen.edges not in SIZES:
        chosen.edges = EDGES  # a link may ask for any number
    st.selectbox("Edges drawn", SIZES, width=140, **steered("edges", chosen.edges, picked))
    return chosen.edges
