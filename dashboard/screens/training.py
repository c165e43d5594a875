"""The page *Training Visualizations*: one epoch control, one tab an analysis, only the open tab's figures drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable

import streamlit as st

from dashboard.chrome import live, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.condition import Condition, analyse_command, condition
from dashboard.reading.headline import headlines
from dashboard.reading.snapshot import CheckpointView
from dashboard.screens.unit_history import unit_history
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
    show_headlines(headlines(frame.facts), frame.facts.first_label)
    epoch_control(frame, view)
    missing_line(frame, view)
    tabs(frame, view)


def epoch_control(frame: Frame, view: CheckpointView) -> None:
    """The slider over all checkpoints, one step back and on, and the switch that follows the newest."""
    chosen, views = frame.selection, list(frame.snapshot.checkpoints)
    if frame.snapshot.get(view.name) is None:
        views.append(view)  # it vanished, and no other may be shown in its place
        views.sort(key=lambda each: each.step)
    by_label = {each.label: each for each in views}

    def go(to: CheckpointView) -> None:
        chosen.checkpoint, chosen.follow, chosen.link_problem = to.name, False, ""
        reader_choice.write_link(chosen, to)

    def followed(on: bool) -> None:
        chosen.follow, chosen.checkpoint = on, view.name
        chosen.link_problem = ""
        reader_choice.write_link(chosen, view)

    back, slide, on, follow = st.columns([0.5, 9, 0.5, 2], vertical_alignment="bottom")
    place = next(i for i, each in enumerate(views) if each.name == view.name)
    with back:
        _step("chevron_left", "Previous checkpoint", views[place - 1] if place else None, go)
    with slide:
        _slider(by_label, view, place, go)
    with on:
        _step("chevron_right", "Next checkpoint", views[place + 1] if place + 1 < len(views) else None, go)
    with follow:
        st.toggle(
            "Follow newest",
            help="Go on to each newly analysed checkpoint.",
            **steered("follow", chosen.follow, followed),
        )


def _slider(
    by_label: dict[str, CheckpointView], view: CheckpointView, place: int, go: Callable[[CheckpointView], None]
) -> None:
    if len(by_label) == 1:
        plain(f"One checkpoint so far: {view.label}. The slider comes with the second.", "one", "muted")
        return
    st.select_slider(
        f"Checkpoint {place + 1} of {len(by_label)}",
        list(by_label),
        **steered("checkpoint", view.label, lambda label: go(by_label[label])),
    )


def _step(icon: str, words: str, to: CheckpointView | None, go: Callable[[CheckpointView], None]) -> None:
    st.button(
        "",
        icon=f":material/{icon}:",
        key=f"w_{icon}",
        help=words,
        disabled=to is None,
        type="tertiary",
        on_click=go if to is not None else None,
        args=(to,),
    )


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
        return cached.panels(file, analysis.name, options.baseline, options.shown)

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
    show_panels(panels, find, analysis.name)
    unit_history(frame, view, analysis.name)
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
