"""What every page has around it: the bar, the analyzer's chips, alerts, and the states without any run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard.chrome import bar, browser, live, pages, reader_choice
from dashboard.chrome.place import Place, place_from_environment
from dashboard.chrome.reader_choice import Selection
from dashboard.chrome.search import search_field
from dashboard.reading import cached
from dashboard.reading.alerts import LEVELS, Alert, checkpoint_alerts, run_alerts
from dashboard.reading.facts import Facts, gather
from dashboard.reading.overview import standing_of
from dashboard.reading.snapshot import CheckpointView, Snapshot
from dashboard.widgets.drawing import notice, plain, show_alerts, style
from shared.run import Run


@dataclass
class Frame:
    """What a page needs to draw itself."""

    snapshot: Snapshot
    selection: Selection
    view: CheckpointView | None
    """The checkpoint to show; None when the run has none yet."""
    facts: Facts
    now: float
    """Unix time of this rerun, seconds."""
    against: CheckpointView | None = None
    """What `view` is compared with; None where that is itself, or not there."""
    runs: Sequence[Run] = ()
    """All runs that the dashboard is over, newest change first."""
    watched: set[str] = field(default_factory=set)
    """What else the page wants to be redrawn for (see live)."""


def framed(title: str, draw: Callable[[Frame], None], *, alerts_first: bool = True) -> None:
    """Draw one page inside its frame, then start watching the files.

    Without `alerts_first` only errors stand above the page, and `draw` shows the others (`show_problems`).
    """
    pages.gone()
    style()
    place = place_from_environment()
    chosen = reader_choice.current()
    runs = place.runs()
    run = pick_run(runs, chosen)
    reader = cached.reader(str(run.path), str(run.out)) if run is not None else None
    snapshot = reader.snapshot() if reader is not None else None
    shown = live.stamp_of(runs, snapshot)
    watched: set[str] = set()
    frame = _frame(snapshot, chosen, runs, watched)
    reader_choice.at_page(title, chosen, frame.view if frame else None)
    _bar(runs, run, chosen, frame)
    st.title(title)
    if frame is None:
        _nothing_yet(place, runs, chosen, snapshot)
    else:
        with st.container():  # of its own, so that what follows stays where it is when an alert comes or goes
            show_problems(frame, None if alerts_first else True)
        draw(frame)
    browser.listen()
    with st.sidebar:
        search_field(snapshot, [run_name(each, runs) for each in runs], chosen)
        live.keep_watching(place, reader.snapshot if reader else lambda: None, shown, frozenset(watched))


def _frame(snapshot: Snapshot | None, chosen: Selection, runs: Sequence[Run], watched: set[str]) -> Frame | None:
    """What to draw; None where the run has no checkpoint, or is not there."""
    if snapshot is None or not (snapshot.exists and snapshot.checkpoints):
        return None
    view = reader_choice.resolve(chosen, snapshot)
    if view is None:
        return None
    against = reader_choice.resolve_against(chosen, snapshot, view)
    facts = gather(snapshot, view, against)
    return Frame(snapshot, chosen, view, facts, time.time(), against, runs, watched)


def _bar(runs: Sequence[Run], run: Run | None, chosen: Selection, frame: Frame | None) -> None:
    names = [run_name(each, runs) for each in runs]
    if chosen.run is not None and run is None:
        names.insert(0, chosen.run)  # a deleted run stays chosen, so that nothing else is shown in its name
    with st.container(key="bar", horizontal=True, vertical_alignment="center", gap="xsmall"):
        bar.run_picker(names, run_name(run, runs) if run is not None else chosen.run, chosen)
        if frame is None or frame.view is None:
            return
        found = standing_of(frame.snapshot)
        bar.run_facts(frame.snapshot, frame.view, found)
        bar.checkpoint_control(frame.snapshot, frame.view, chosen, found)
        bar.against_picker(frame.snapshot, frame.view, frame.against, chosen)
        bar.follow_switch(frame.view, chosen)
        bar.export(frame.snapshot, found)


def pick_run(runs: Sequence[Run], chosen: Selection) -> Run | None:
    """The chosen run, or None when it is not there. The newest is chosen first, and stays so when others appear."""
    if chosen.run is None and runs:
        chosen.run = run_name(runs[0], runs)
    return next((run for run in runs if run_name(run, runs) == chosen.run), None)


def run_name(run: Run, runs: Sequence[Run]) -> str:
    """The run's directory name: of `out`, where the two differ, because that is what was opened.

    Where others of `runs` are called the same, with the names of the folders that tell them apart.
    """
    parts = run.out.parts
    for count in range(1, len(parts)):
        if sum(other.out.parts[-count:] == parts[-count:] for other in runs) < 2:
            return "/".join(parts[-count:])
    return run.out.name


def show_problems(frame: Frame, errors: bool | None = None) -> None:
    """What is wrong with the link, the run and the checkpoint: all of it, or only the errors, or all but these."""
    if frame.selection.link_problem and errors is not False:
        with notice("note", "Link", "link", row=True):
            plain(frame.selection.link_problem, "link")
    alerts = [*run_alerts(frame.snapshot, frame.now), *checkpoint_alerts(frame.facts)]
    chosen = [each for each in alerts if errors is None or (each.level == "error") == errors]
    show_alerts(sorted(chosen, key=_level), "" if errors is None else f"-{errors}")


def _level(alert: Alert) -> int:
    return LEVELS.index(alert.level)


def _nothing_yet(place: Place, runs: Sequence[Run], chosen: Selection, snapshot: Snapshot | None) -> None:
    """The states without a checkpoint: no folder, no runs, a run that vanished, a run that has just begun."""
    if snapshot is None and chosen.run is not None:
        with notice("warning", "This run is not there", "missing"):
            plain(f"{chosen.run} was deleted, renamed, or is not in {place.root}.", "missing")
            if runs:
                st.markdown("Choose another one above.")
    elif snapshot is None:
        what = "holds no training run yet" if place.root.is_dir() else "does not exist yet"
        with notice("note", "Waiting for a run", "empty"):
            plain(
                f"{place.root} {what}. This page fills itself as soon as one appears. To see one in minutes:",
                "empty",
            )
            st.code("midwatch demo", language=None)
            st.markdown("To watch a training of your own, start the analyzer on its output directory:")
            st.code("midwatch watch OUTPUT_DIR", language=None)
    else:
        with notice("note", "No checkpoint yet", "begun"):
            plain(
                f"{snapshot.run.path} has no checkpoint yet. It appears here with the trainer's first save, "
                "and its figures as soon as the analyzer has opened it.",
                "begun",
            )
