"""The page *Evolution*: over all checkpoints, where the judge decides and since when, what flipped, what moved."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.chrome import pages, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading.condition import Condition, command
from dashboard.reading.evolution import alike, decides, film, units_drift
from dashboard.reading.snapshot import CheckpointView
from dashboard.screens.training import run_figures
from dashboard.screens.unit_history import LETTERS, choose, place_of
from dashboard.widgets.drawing import plain, show_condition
from dashboard.widgets.fit import fitted
from dashboard.widgets.panels import CONFIG, fold, show_panels
from shared import views

KEY = "similarity"


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    found = decides(frame.snapshot)
    if not found:
        again = command("watch", frame.snapshot.run)
        words = "No checkpoint has a result of circuit comparison yet."
        show_condition(Condition("waiting", "Nothing to follow yet", words, again), "evolution")
    show_panels(found, lambda: decides(frame.snapshot), "evolution-layers")
    show_panels(film(frame.snapshot), lambda: film(frame.snapshot), "evolution-play")
    units(frame)
    similarity(frame)
    run_figures(frame, views.get("evolution"))


def units(frame: Frame) -> None:
    """Heads and neurons that carry the verdict, by checkpoint; a click on a cell opens the unit's panel."""

    def picked(name: Any) -> None:
        for analysis in LETTERS:
            place = place_of(name, analysis)
            if place is not None and frame.view is not None:
                frame.selection.tab = analysis
                choose(frame, frame.view, analysis, place)
                pages.go("Training Visualizations")

    found = units_drift(frame.snapshot)
    show_panels(found, lambda: units_drift(frame.snapshot), "evolution-units", picked)


def similarity(frame: Frame) -> None:
    """Every checkpoint beside every other; a click on a cell compares the two."""
    panels, known = alike(frame.snapshot)

    def picked() -> None:
        points = st.session_state[KEY].selection.points
        place = points[0].get("customdata") if points else None
        if isinstance(place, int | float):
            row, column = divmod(int(place), len(known))
            open_compare(frame, known[row], known[column])

    for panel in panels:
        with st.container(border=True, key="panel-similarity"):
            figure, subtitle, beside = fitted(panel.figure)
            plain(panel.headline, "similarity-headline", "headline")
            plain("Click a cell to compare the two.", "similarity-click", "muted")
            with st.container(key=f"fit-{beside}-similarity"):
                st.plotly_chart(
                    figure,
                    theme=None,
                    config=CONFIG,
                    alt=panel.alt,
                    key=KEY,
                    on_select=picked,
                    selection_mode="points",
                )
            fold(panel, lambda: alike(frame.snapshot)[0][0], "similarity", subtitle)


def open_compare(frame: Frame, one: CheckpointView, other: CheckpointView) -> None:
    """Go to Compare of two checkpoints, the later against the earlier one."""
    earlier, later = sorted((one, other), key=lambda view: view.step)
    if earlier.name == later.name:
        return
    chosen = frame.selection
    chosen.against = ":".join(next(iter(reader_choice.address(earlier).items())))
    chosen.compare.other_run(None)
    reader_choice.open_checkpoint(chosen, later)
    pages.go("Compare")
