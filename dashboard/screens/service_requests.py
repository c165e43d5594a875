"""What was asked of the analyzer: what waits and runs, with Cancel, and what became of the last ones."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import desk
from dashboard.chrome.frame import Frame
from dashboard.reading import asking
from dashboard.reading.words import ago
from dashboard.screens.service_exceptions import SAID
from dashboard.widgets.drawing import notice, plain
from shared.findings.text import clean
from shared.requests.folder import path_of
from shared.requests.record import Analyze, Ask, Cancel, RequestState, id_of

OPEN, ENDED = 12, 6
"""Requests that are shown: of those that wait or run, and of those that ended."""
LONG = 60
"""Characters of a prompt."""


def requests(frame: Frame) -> None:
    """Open ones first; nothing where nothing was ever asked."""
    states = [state for state in asking.requests(frame.snapshot.run) if _shown(state)]
    if not states:
        return
    open_ones = [state for state in states if not state.final]
    ended = [state for state in states if state.final]
    st.subheader("Asked of the analyzer")
    if open_ones and not asking.analyzer_there(frame.snapshot.status, frame.now):
        st.markdown("No analyzer has this run: what is asked stays filed, and is done as soon as one starts.")
    for state in open_ones[:OPEN]:
        _open(frame, state)
    if len(open_ones) > OPEN:
        st.caption(f"{len(open_ones) - OPEN} more wait.")
    if ended:
        with st.expander(f"Ended ({len(ended)})", key="requests-ended"):
            st.dataframe([_row(state, frame.now) for state in ended[:100]], hide_index=True,
                         alt="Requests that ended, newest first, with what became of them")  # fmt: skip
    bad = [state for state in ended[:ENDED] if state.state in ("refused", "failed")]
    for number, state in enumerate(bad):
        with notice("warning", state.state.capitalize(), f"request-{number}", row=True):
            plain(f"{describe(state)}: {state.sentence}", f"request-{number}")


def _shown(state: RequestState) -> bool:
    return state.request is None or not isinstance(state.request.what, Cancel)


def describe(state: RequestState) -> str:
    """What is asked, in a few words; holds data."""
    if state.request is None:
        return state.file or state.id
    what = state.request.what
    many = (
        f"{len(what.checkpoints)} checkpoints"
        if not isinstance(what, Cancel) and len(what.checkpoints) != 1
        else ""
    )
    where = "" if isinstance(what, Cancel) else many or what.checkpoints[0]
    if isinstance(what, Ask):
        return f'"{clean(what.prompts[0].text, LONG)}" at {where}'
    if isinstance(what, Analyze):
        return f"{', '.join(what.only) or f'suite {what.suite}'} of {where}{', anew' if what.force else ''}"
    return f"retry {where if not isinstance(what, Cancel) and what.checkpoints else 'all that failed'}"


def _open(frame: Frame, state: RequestState) -> None:
    mine = asking.place_of(frame.snapshot.status, state.id)
    where = "not seen by the analyzer yet"
    if mine is not None:
        where = "runs" if mine.state == "running" else f"place {mine.place} in the queue"
        where += f", {mine.done} of {mine.total} checkpoints" if mine.total > 1 else ""
        where += f"; waits: {mine.cause}" if mine.cause else ""
    asked = path_of(frame.snapshot.run, id_of(Cancel(request=state.id))).is_file() if _cancels(state) else False
    with st.container(horizontal=True, vertical_alignment="center", key=f"open-{state.id}"):
        plain(f"{describe(state)} · {where}", f"open-{state.id}")
        if _cancels(state):
            words = "Cancel was asked" if asked else "Cancel"
            st.button(words, key=f"cancel-{state.id}", disabled=asked or bool(desk.why_not(frame.snapshot.run)),
                      on_click=_cancel, args=(frame, state.id))  # fmt: skip


def _cancels(state: RequestState) -> bool:
    return state.request is not None


def _cancel(frame: Frame, name: str) -> None:
    st.session_state[SAID] = {frame.snapshot.run.out: desk.take_back(frame.snapshot, name)}


def _row(state: RequestState, now: float) -> dict[str, str]:
    return {
        "asked": describe(state),
        "state": state.state,
        "what became of it": clean(state.sentence, 300),
        "ended": ago(now - state.finished_at) if state.finished_at else "",
    }
