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

LEAST = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the strongest score to choose from."""
EVERY_NODE = "every node"
SIZES = (10, 20, 40, 80, 160, 400)
"""Numbers of edges to choose from; a result names its 400 strongest."""


@dataclass(frozen=True)
class Options:
    """What was chosen."""

    baseline: ResultFile | None = None
    """Draw the change since this result; None for the result itself."""
    shown: int = 0
    """Edges to draw; 0 where an analysis has no such choice."""
    least: float = 0.0
    """Weakest edge to draw, as a share of the strongest."""
    node: str = ""
    """Draw the paths through this node, and the other edges faint."""


def view_options(frame: Frame, view: CheckpointView, analysis: View) -> Options:
    """The controls that this analysis has at this checkpoint, in one row."""
    other = frame.against
    if analysis.name not in cached.CHANGES or other is None or analysis.name not in other.results:
        other = None
    if other is None and analysis.name not in cached.SIZED:
        return Options()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        changed = other is not None and _change(frame.selection, view, other)
        sized = analysis.name in cached.SIZED
        shown = _size(frame.selection, view) if sized else 0
        if sized and not changed:
            _least(frame.selection, view)
            _node(frame.selection, view)
    baseline = other.results[analysis.name] if other is not None and changed else None
    if not sized or changed:
        return Options(baseline, shown)
    return Options(None, shown, frame.selection.least, frame.selection.node)


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


def _least(chosen: Selection, view: CheckpointView) -> None:
    """The weakest edge that is drawn."""

    def picked(share: float) -> None:
        chosen.least = share
        write_link(chosen, view)

    options = sorted({*LEAST, chosen.least})
    st.selectbox(
        "Score at least",
        options,
        format_func=lambda share: f"{100 * share:.0f} % of the strongest" if share else "any",
        width=200,
        **steered("least", chosen.least, picked),
    )


def _node(chosen: Selection, view: CheckpointView) -> None:
    """The node whose paths stand out; a click on it in the graph does the same."""
    result = cached.typed(view.results.get("circuits"), "circuits")
    names = [node.name for node in result.nodes] if result is not None else []

    def picked(name: str) -> None:
        chosen.node = "" if name == EVERY_NODE else name
        write_link(chosen, view)

    if chosen.node and chosen.node not in names:
        names.append(chosen.node)
    st.selectbox(
        "Paths through", [EVERY_NODE, *names], width=160, **steered("node", chosen.node or EVERY_NODE, picked)
    )
