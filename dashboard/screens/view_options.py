"""What a reader may choose about the figures of one analysis: a comparison, and how many edges are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.chrome.frame import Frame
from dashboard.chrome.reader_choice import Selection
from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView
from dashboard.widgets.steered import steered
from shared.results_index import ResultFile
from shared.views import View

SIZES = (10, 20, 40, 80, 160, 400)
"""Numbers of edges to choose from; a result names its 400 strongest."""
PREVIOUS, BASELINE = "previous", "baseline"
NAMES = {PREVIOUS: "the previous checkpoint", BASELINE: "the baseline"}


@dataclass(frozen=True)
class Options:
    """What was chosen."""

    baseline: ResultFile | None = None
    """Draw the change since this result; None for the result itself."""
    shown: int = 0
    """Edges to draw; 0 where an analysis has no such choice."""


def view_options(frame: Frame, view: CheckpointView, analysis: View) -> Options:
    """The controls that this analysis has at this checkpoint, in one row."""
    others = _others(frame, view, analysis)
    if not others and analysis.name not in cached.SIZED:
        return Options()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        baseline = _change(frame.selection, analysis, others) if others else None
        shown = _size(frame.selection) if analysis.name in cached.SIZED else 0
    return Options(baseline.results[analysis.name] if baseline else None, shown)


def _others(frame: Frame, view: CheckpointView, analysis: View) -> dict[str, CheckpointView]:
    """The checkpoints that this one can be compared with; the previous one unless it is the baseline too."""
    first = frame.snapshot.first_with(analysis.name)
    if analysis.name not in cached.CHANGES or first is None or first.step >= view.step:
        return {}
    earlier = [
        each for each in frame.snapshot.checkpoints if each.step < view.step and analysis.name in each.results
    ]
    found = {PREVIOUS: earlier[-1], BASELINE: first}
    return {BASELINE: first} if found[PREVIOUS].name == first.name else found


def _change(chosen: Selection, analysis: View, others: dict[str, CheckpointView]) -> CheckpointView | None:
    """The switch to the change, and since which checkpoint."""

    def switched(on: bool) -> None:
        chosen.change = on

    def picked(name: str) -> None:
        chosen.against[analysis.name] = name

    usual = PREVIOUS if analysis.name in cached.SIZED else BASELINE
    against = chosen.against.get(analysis.name, usual)
    against = against if against in others else BASELINE
    label = f"Change since {NAMES[against]} ({others[against].label})"
    st.toggle(label, **steered("change", chosen.change, switched))
    if not chosen.change:
        return None
    if len(others) > 1:
        st.radio(
            "Compared with",
            list(others),
            format_func=lambda name: f"{name}: {others[name].label}",
            horizontal=True,
            label_visibility="collapsed",
            **steered("against", against, picked),
        )
    return others[against]


def _size(chosen: Selection) -> int:
    """How many edges are drawn."""

    def picked(edges: int) -> None:
        chosen.edges = edges

    st.selectbox("Edges drawn", SIZES, width=140, **steered("edges", chosen.edges, picked))
    return chosen.edges
