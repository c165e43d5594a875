"""The page *Test a prompt*: ask the judge anything, at any checkpoints, and see why it answers so."""

from __future__ import annotations

import hashlib

import streamlit as st

from dashboard.chrome import live, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import asking
from dashboard.reading.words import ago
from dashboard.screens.prompt_answer import answer
from dashboard.screens.prompt_form import form, form_of
from dashboard.screens.prompt_request import request_state
from dashboard.widgets.drawing import notice, plain
from shared.findings.text import clean
from shared.requests.record import RequestState

LISTED = 100
"""Questions of the list, the newest; all stay open to a link."""
LONG = 160
"""Characters of a prompt in the list."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    if frame.view is None:
        return
    frame.watched.add(live.REQUESTS)
    states = asking.asked(frame.snapshot.run)
    form(frame)
    opened = asking.request_of(frame.snapshot.run, frame.selection.asked)
    if frame.selection.asked is not None and opened is None:
        with notice("note", "Not asked here", "no-such"):
            plain(f"{frame.snapshot.run.name} was never asked {frame.selection.asked}.", "no-such")
    earlier(frame, [state for state in states if not _changes_only(state)], open_now=opened is None)
    if opened is None:
        _how_to_begin(frame, bool(states))
        return
    if not opened.final:
        frame.watched.add(live.HEARTBEAT)
    request_state(frame, opened)
    answer(frame, opened, states)


def _changes_only(state: RequestState) -> bool:
    """Whether it only changes words of a prompt: it stands with that prompt's answer."""
    what = asking.what_of(state)
    return what is not None and what.parts == ("score",) and all(each.edits for each in what.prompts)


def _how_to_begin(frame: Frame, asked_before: bool) -> None:
    if asked_before:
        return
    with notice("note", "Nothing is asked yet", "none"):
        st.markdown(
            "Write a prompt above. The answer tells the verdict at each checkpoint among those of the probe set, "
            "which words it rests on, how few words flip it, and which probes the judge sees as alike."
        )


def earlier(frame: Frame, states: list[RequestState], *, open_now: bool) -> None:
    """What was asked before, newest first; a click on a row opens its answer."""
    if not states:
        return

    listed = states[:LISTED]
    key = list_key(listed)

    def picked() -> None:
        rows = st.session_state[key].selection.rows
        if rows:
            open_answer(frame, listed[rows[0]].id)

    with st.expander(f"Asked before ({len(states)})", expanded=open_now, key="asked-list"):
        st.dataframe(
            [_row(state, frame.now) for state in listed],
            hide_index=True,
            key=key,
            on_select=picked,
            selection_mode="single-row",
            height="content" if len(states) <= 8 else 318,
            column_config={"prompt": st.column_config.Column(width="large", pinned=True)},
            alt="Prompts that were asked, newest first, with their state",
        )


def list_key(listed: list[RequestState]) -> str:
    """One widget for each list: a row that was picked means another question once the list has grown."""
    digest = hashlib.sha256("".join(state.id for state in listed).encode()).hexdigest()[:12]
    return f"asked-before-{digest}"


def _row(state: RequestState, now: float) -> dict[str, object]:
    what = asking.what_of(state)
    assert what is not None and state.request is not None  # noqa: S101 (only such are listed)
    first, *rest = what.prompts
    more = f" (and {len(rest)} more)" if rest else ""
    return {
        "prompt": clean(first.text, LONG) + more,
        "twin": clean(first.twin, LONG),
        "state": state.state,
        "checkpoints": len(what.checkpoints),
        "asked": ago(now - state.request.filed_at) if state.request.filed_at else "",
    }


def open_answer(frame: Frame, name: str) -> None:
    """Show what became of a request, and put its prompt into the form."""
    frame.selection.asked = name
    state = asking.request_of(frame.snapshot.run, name)
    what = asking.what_of(state) if state is not None else None
    if what is not None:
        form_of(frame.snapshot.run).fill(what.prompts[0])
    reader_choice.write_link(frame.selection, frame.view)
