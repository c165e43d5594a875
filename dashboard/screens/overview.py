"""The page *Overview*: which checkpoint, in words, as a table and as four curves; below, the runs of a folder."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.chrome import live, reader_choice
from dashboard.chrome.frame import Frame, show_problems
from dashboard.reading import cached
from dashboard.reading.condition import command, condition
from dashboard.reading.overview import standing_of
from dashboard.reading.words import plural
from dashboard.screens.runs import runs_table
from dashboard.widgets.curves import show_curves
from dashboard.widgets.drawing import ONE_LINE, command_line, notice, plain, show_condition
from dashboard.widgets.steered import steered
from shared.findings.rates import share
from shared.views.overview.curves import SmallPlots, small_plots
from shared.views.overview.standing import Standing
from shared.views.overview.table import table
from shared.views.overview.verdict import HOW_TO_READ, verdict

LIMITS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""FPRs to choose from."""
ROWS = 8
"""Rows of the table that show before it scrolls."""
NAMED = 5
"""Checkpoints with unreadable results that are named."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    if frame.view is None:
        return
    found = standing_of(frame.snapshot, frame.selection.limit)
    say_verdict(frame, found)
    with st.container():  # of its own, so that what follows stays where it is when an alert comes or goes
        show_problems(frame, errors=False)
        say_undescribed(frame)
        say_unreadable(frame, found)
        say_unfinished(frame)
    checkpoints(frame, found)
    curves(frame, small_plots(found))
    runs_table(frame)


def say_verdict(frame: Frame, found: Standing) -> None:
    """The sentences, and the choice that the last one depends on."""
    said = verdict(found)
    words, rule = st.columns([5, 1], vertical_alignment="top")
    with words:
        plain(f"{said.best}.", "verdict", "heading")
        rest = " ".join(said.sentences[1:])
        if rest:
            plain(rest, "verdict-more")
    if said.claims:
        with rule:
            limit(frame)
        with st.expander("How to read", key="more-verdict", type="compact"):
            plain(HOW_TO_READ, "how-to-read", "muted")
            command_line(command("evaluate", frame.snapshot.run), "evaluate")


def limit(frame: Frame) -> None:
    """The FPR that the checkpoint to ship may have."""
    chosen = frame.selection

    def picked(value: float) -> None:
        chosen.limit = value
        reader_choice.write_link(chosen, frame.view)

    options = sorted({*LIMITS, chosen.limit})
    st.selectbox("FPR at most", options, format_func=share, **steered("fpr", chosen.limit, picked))


def say_undescribed(frame: Frame) -> None:
    """What was assumed of a run that nobody described, and the one command that says it instead."""
    status, run = frame.snapshot.status, frame.snapshot.run
    assumed = status.assumed if status is not None else []
    said = {found.sentence for found in frame.facts.notices}
    left = [each for each in assumed if each not in said]
    if not assumed and cached.run_record(run) is not None:
        return
    if not left and assumed:
        return  # an alert says it already
    with notice("note", "Nobody described this run", "undescribed"):
        for number, sentence in enumerate(left):
            plain(sentence, f"undescribed{number}")
        st.code(command("init", run), language=None)


def say_unreadable(frame: Frame, found: Standing) -> None:
    """Results that are refused; everything else is kept."""
    damaged = [each for each in found.facts if each.unreadable]
    if not damaged:
        return
    named = "; ".join(f"{each.label}: {', '.join(each.unreadable)}" for each in damaged[-NAMED:])
    with notice("warning", "Some results cannot be read; the others are kept", "unreadable"):
        plain(f"{named}. They are damaged or from a newer Midwatch; each one's tab says which.", "unreadable")
        st.code(command("analyze", frame.snapshot.run), language=None)


def say_unfinished(frame: Frame) -> None:
    """Where the shown checkpoint is not judged yet: why, and what to do about it."""
    view = frame.view
    if view is None:
        return
    state = condition(frame.snapshot, view, "progress", frame.now)
    if state.live:
        frame.watched.add(live.HEARTBEAT)
    if state.kind != "ready":
        plain(f"{view.label}:", "unfinished", "muted")
        show_condition(state, "overview")
        return
    missing = view.row.missing if view.row is not None else []
    if missing:
        words = f"{view.label} is not finished; still to do: {', '.join(missing)}."
        with notice("running", "Partial", "partial", row=len(words) <= ONE_LINE):
            plain(words, "partial")


def checkpoints(frame: Frame, found: Standing) -> None:
    """The table; a click on a row opens its checkpoint."""
    rows = table(found)
    if not rows:
        return

    def picked() -> None:
        picked_rows = st.session_state["checkpoints"].selection.rows
        if picked_rows:
            _open(frame, rows[picked_rows[0]].name)

    st.dataframe(
        [row.cells for row in rows],
        hide_index=True,
        key="checkpoints",
        on_select=picked,
        selection_mode="single-row",
        height=_height(len(rows)),
        column_config={"checkpoint": st.column_config.Column(pinned=True)},
        alt="Checkpoints, newest first, with their rates, 95 % intervals, and the exact test against the best",
    )
    if left := len(found.facts) - len(rows):
        st.caption(f"{plural(left, 'checkpoint')} without a result left out; the page Analyzer has them all.")


def _height(rows: int) -> Any:
    return "content" if rows <= ROWS else 35 * (ROWS + 1) + 3


def curves(frame: Frame, small: SmallPlots) -> None:
    """Four small plots; a click at a checkpoint's place opens it."""
    if any(line.curve for plot in small.plots for line in plot.lines):
        show_curves(small, "curves", lambda entry: _open(frame, small.names[entry]))


def _open(frame: Frame, name: str) -> None:
    view = frame.snapshot.get(name)
    if view is not None:
        reader_choice.open_checkpoint(frame.selection, view)
