"""The page *Training Visualizations*: one epoch control, one tab an analysis, only the open tab's figures drawn."""

from __future__ import annotations

import logging

import streamlit as st

from dashboard.chrome import live, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.condition import Condition, analyse_command, condition
from dashboard.reading.facts import gather
from dashboard.reading.headline import headlines
from dashboard.reading.snapshot import CheckpointView
from dashboard.reading.words import in_plain_words
from dashboard.screens.chosen_prompt import chosen_prompt
from dashboard.screens.circuit_node import show_circuit
from dashboard.screens.token_words import show_token_words
from dashboard.screens.unit_history import LETTERS, show_units
from dashboard.screens.view_options import view_options
from dashboard.widgets.drawing import plain, show_condition, show_headlines
from dashboard.widgets.panels import show_panels
from dashboard.widgets.steered import steered
from shared import views
from shared.errors import SchemaError
from shared.results import file_prefix
from shared.views import Panel, View

log = logging.getLogger(__name__)


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    view = frame.view
    if view is None:
        return
    numbers(frame, view)
    missing_line(frame, view)
    tabs(frame, view)


def numbers(frame: Frame, view: CheckpointView) -> None:
    """The numbers looked at first. While following, a checkpoint that is not judged yet leaves the last ones that
    are known, by their own name."""
    facts = frame.facts
    if frame.selection.follow and facts.progress is None and "progress" not in facts.unreadable:
        earlier = [v for v in frame.snapshot.checkpoints if v.step < view.step and "progress" in v.results]
        if earlier:
            before = reader_choice.resolve_against(frame.selection, frame.snapshot, earlier[-1])
            facts = gather(frame.snapshot, earlier[-1], before)
            plain(f"Numbers of {facts.label}; those of {view.label} come when it is judged.", "kept", "muted")
    show_headlines(headlines(facts), f"since {in_plain_words(facts.against_label, facts.against_step)}")


def missing_line(frame: Frame, view: CheckpointView) -> None:
    """Where some tabs are finished and others not: which are missing."""
    wanted = [each for each in views.all_views() if _wanted(frame, view, each)]
    missing = [each.title for each in wanted if each.name not in view.results]
    if missing and len(missing) < len(wanted):
        st.caption(f"{len(wanted) - len(missing)} of {len(wanted)} analyses done; missing: {', '.join(missing)}.")


def _wanted(frame: Frame, view: CheckpointView, analysis: View) -> bool:
    if analysis.name in view.results or analysis.suite == "basic":
        return True
    return view.row is not None and analysis.name in view.row.missing


def tabs(frame: Frame, view: CheckpointView) -> None:
    """One tab an analysis; Streamlit runs and mounts only the open one."""
    known = {each.title: each for each in views.all_views()}
    chosen = frame.selection
    opened = next((title for title, each in known.items() if each.name == chosen.tab), next(iter(known)))

    def switched(title: str) -> None:
        chosen.tab = known[title].name
        reader_choice.write_link(chosen, view)

    for title, tab in zip(known, st.tabs(list(known), **steered("tab", opened, switched)), strict=True):
        if tab.open:
            with tab:
                analysis_tab(frame, view, known[title])


def analysis_tab(frame: Frame, view: CheckpointView, analysis: View) -> None:
    """One analysis: over the whole run where it has such figures, then at the shown checkpoint."""
    if analysis.run_panels is not None:
        frame.watched.add(live.METRICS)
        run_figures(frame, analysis)
    state = condition(frame.snapshot, view, analysis.name, frame.now)
    if state.live:
        frame.watched.add(live.HEARTBEAT)
    if state.kind != "ready":
        show_condition(state, analysis.name)
        return
    checkpoint_figures(frame, view, analysis)


def checkpoint_figures(frame: Frame, view: CheckpointView, analysis: View) -> None:
    """The figures of one result, or what is wrong with it; below them where they lie as files."""
    file = view.results[analysis.name]
    options = view_options(frame, view, analysis)

    def find() -> list[Panel]:
        return cached.panels(file, analysis.name, options.baseline, options.shown, options.least, options.node)

    again = analyse_command(frame.snapshot.run, view, "--force")
    try:
        panels = find()
    except (SchemaError, OSError) as error:
        detail = f"{error}\nTo compute it again with this Midwatch:"
        show_condition(Condition("failed", "This result cannot be read", detail, again), analysis.name)
        return
    except Exception as error:  # one damaged result must not take the page; logged and shown
        log.exception("cannot draw %s", file.path)
        detail = f"{file.path} does not hold what its name says ({type(error).__name__}). Compute it again:"
        show_condition(Condition("failed", "This result cannot be drawn", detail, again), analysis.name)
        return
    if not panels:
        words = "The other checkpoint has nothing in common with this one, so there is no change to show."
        show_condition(Condition("absent", "Nothing to draw", words if options.baseline else ""), analysis.name)
    chosen_prompt(frame, view, analysis.name)
    if analysis.name == "tokens":
        show_token_words(frame, view, panels, find, options.baseline)
    elif analysis.name == "circuits" and options.baseline is None:
        show_circuit(frame, view, panels, find)
    elif analysis.name in LETTERS:
        show_units(frame, view, panels, find, analysis.name)
    else:
        show_panels(panels, find, analysis.name)
    folder = frame.snapshot.run.visualizations
    plain(
        f"As files: {folder}/{file_prefix(view.step, view.epoch, view.name)}_*.html",
        f"files-{analysis.name}",
        "muted",
    )


def run_figures(frame: Frame, analysis: View) -> None:
    """The figures over all checkpoints."""
    run, out = str(frame.snapshot.run.path), str(frame.snapshot.run.out)
    version = frame.snapshot.version
    stamp = cached.stamp(frame.snapshot.run.metrics)

    def find() -> list[Panel]:
        return cached.run_panels(run, out, analysis.name, version, stamp)

    try:
        panels = find()
    except Exception as error:  # as above
        log.exception("cannot draw %s over the run", analysis.name)
        state = Condition("failed", "The curves cannot be drawn", f"{type(error).__name__}: {error}")
        show_condition(state, f"{analysis.name}-run")
        return
    show_panels(panels, find, f"{analysis.name}-run")
