"""The tabs *Neurons* and *Heads*: the figure, a panel of the unit picked, and that unit over the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.chrome.frame import Frame
from dashboard.chrome.reader_choice import write_link
from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView
from dashboard.reading.unit_values import Place, values_of
from dashboard.reading.unit_words import elsewhere, head_facts, neuron_lines
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import show_panels
from dashboard.widgets.steered import steered
from shared.figures.units.words import nats
from shared.views import Panel
from shared.views.over_run.unit_history import Moment, history_panel

LETTERS = {"neurons": ("Neuron", "N"), "heads": ("Head", "H")}
"""The analyses whose units have a history: what to call one, and the letter before its number."""


def shown_units(result: Any, analysis: str) -> dict[Place, str]:
    """The units that have a row in the figure, in its order -> what the picker says of them."""
    rows = [(row, "") for row in result.top] + [(row, ", a decoy") for row in getattr(result, "decoys", [])]
    number = "neuron" if analysis == "neurons" else "head"
    return {
        (row.layer, getattr(row, number)): f"{row.name} · {nats(row.effect.value)} nats{kind}" for row, kind in rows
    }


def unit_name(place: Place, analysis: str) -> str:
    """ "L4.N1203" """
    return f"L{place[0]}.{LETTERS[analysis][1]}{place[1]}"


def show_units(
    frame: Frame, view: CheckpointView, panels: Sequence[Panel], find: Callable[[], Sequence[Panel]], analysis: str
) -> None:
    """The map and the rows, where a click opens a unit; below them the picker and the unit's panel."""

    def picked(point: Any) -> None:
        place = place_of(point, analysis)
        if place is not None:
            choose(frame, view, analysis, place)

    show_panels(panels, find, analysis, picked)
    unit_history(frame, view, analysis)


def place_of(point: Any, analysis: str) -> Place | None:
    """The unit of a clicked mark: its name is the mark's `customdata`, or the first part of it."""
    name = point[0] if isinstance(point, list) and point else point
    found = (
        re.fullmatch(rf"L(\d{{1,6}})\.{LETTERS[analysis][1]}(\d{{1,8}})", name) if isinstance(name, str) else None
    )
    return (int(found[1]), int(found[2])) if found is not None else None


def choose(frame: Frame, view: CheckpointView, analysis: str, place: Place) -> None:
    """Follow another unit. Call from a reader's move."""
    frame.selection.units[analysis] = place
    write_link(frame.selection, view)


def unit_history(frame: Frame, view: CheckpointView, analysis: str) -> None:
    """The picker and the panel; nothing where the result has no such units or cannot be read."""
    result = cached.typed(view.results.get(analysis), analysis)
    units = shown_units(result, analysis) if result is not None else {}
    kept = frame.selection.units.get(analysis)
    if kept is not None and kept not in units:
        units[kept] = f"{unit_name(kept, analysis)} · not among the strongest here"
    if not units:
        return
    place = _pick(units, frame, view, analysis)
    with st.container(border=True, key=f"panel-unit-{analysis}"):
        plain(unit_name(place, analysis), f"unit-{analysis}-title", "heading")
        for number, line in enumerate(_told(result, view, analysis, place)):
            plain(line, f"unit-{analysis}-{number}")

    def find() -> list[Panel]:
        return [unit_panel(frame, view, analysis, place)]

    show_panels(find(), find, f"{analysis}-history")


def _told(result: Any, view: CheckpointView, analysis: str, place: Place) -> list[str]:
    """What is known of the unit at the shown checkpoint."""
    rows = [*result.top, *getattr(result, "decoys", [])] if result is not None else []
    row = next((each for each in rows if each.name == unit_name(place, analysis)), None)
    if row is None:
        return elsewhere(analysis, values_of(view.results.get(analysis), place))
    return neuron_lines(row) if analysis == "neurons" else head_facts(row)


def _pick(units: dict[Place, str], frame: Frame, view: CheckpointView, analysis: str) -> Place:
    """The selectbox. The choice is ours, so that a live update, which changes the options, does not move it."""
    place = frame.selection.units.get(analysis, next(iter(units)))
    label = f"{LETTERS[analysis][0]} to follow over the run; a click on one above opens it"
    widget = steered(f"unit_{analysis}", place, lambda chosen: choose(frame, view, analysis, chosen))
    st.selectbox(label, list(units), format_func=units.__getitem__, **widget)
    return place


def unit_panel(frame: Frame, view: CheckpointView, analysis: str, place: Place) -> Panel:
    """The history of one unit over the run's checkpoints."""
    moments = [
        Moment(each.step, each.epoch, each.label, **values_of(each.results.get(analysis), place))
        for each in frame.snapshot.checkpoints
    ]
    return history_panel(unit_name(place, analysis), moments, view.step, selective=analysis == "neurons")
