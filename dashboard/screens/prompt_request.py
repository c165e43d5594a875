"""How far a question is: its place in the queue, its progress, what became of it, and what can be done about it."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import desk, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import asking
from dashboard.reading.condition import command
from dashboard.screens.prompt_form import form_of
from dashboard.widgets.drawing import notice, plain
from shared.requests.folder import path_of
from shared.requests.record import Cancel, RequestState, id_of

TITLES = {"refused": "Refused", "failed": "Failed", "cancelled": "Cancelled"}


def request_state(frame: Frame, state: RequestState) -> None:
    """One box; nothing where everything is answered."""
    if not state.final and not asking.analyzer_there(frame.snapshot.status, frame.now):
        _nobody(frame, state)
    elif not state.final:
        _open(frame, state)
    elif state.state != "done":
        with notice("error" if state.state == "failed" else "warning", TITLES[state.state], "ended"):
            plain(state.sentence or "The analyzer gave no cause.", "ended")
            _again(frame, state)
    elif state.sentence:
        with notice("note", "Note", "noted", row=True):
            plain(state.sentence, "noted")


def _nobody(frame: Frame, state: RequestState) -> None:
    with notice("warning", "Nobody answers yet", "nobody"):
        st.markdown("No analyzer has this run. The question stays filed, and is answered as soon as one starts:")
        st.code(command("watch", frame.snapshot.run), language=None)
        _cancel(frame, state)


def _open(frame: Frame, state: RequestState) -> None:
    """It waits, or runs."""
    mine = asking.place_of(frame.snapshot.status, state.id)
    status = frame.snapshot.status
    jobs = status.in_work if status is not None and mine is not None and mine.state == "running" else []
    running = next((each for each in jobs if each.request == state.id), None)
    with notice("running", "Runs" if running is not None else "Waits", "open"):
        if mine is None:
            plain("The analyzer takes it in at its next look at the run.", "open")
        elif running is not None:
            share = f", {running.done} of {running.total}" if running.total else ""
            words = f"{running.checkpoint}, checkpoint {mine.done + 1} of {mine.total}: {running.analysis}{share}"
            plain(words, "open")
            part = running.done / running.total if running.total else 0.0
            st.progress(min(1.0, (mine.done + min(1.0, part)) / max(1, mine.total)))
        else:
            cause = f" It waits: {mine.cause}" if mine.cause else ""
            done = f" {mine.done} of {mine.total} checkpoints are answered." if mine.done else ""
            plain(f"Place {mine.place} in the queue.{done}{cause}", "open")
        _cancel(frame, state)


def _cancel(frame: Frame, state: RequestState) -> None:
    def cancel() -> None:
        form_of(frame.snapshot.run).said = desk.take_back(frame.snapshot, state.id)

    asked = path_of(frame.snapshot.run, id_of(Cancel(request=state.id))).is_file()
    words = "Cancel was asked" if asked else "Cancel"
    st.button(words, key="ask-cancel", icon=":material/close:", on_click=cancel, disabled=asked)


def _again(frame: Frame, state: RequestState) -> None:
    """Ask the same once more."""
    what = asking.what_of(state)
    if what is not None:
        st.button("Ask again", key="ask-again", icon=":material/refresh:", on_click=ask_again, args=(frame, state))


def ask_again(frame: Frame, state: RequestState) -> None:
    """File the same question once more: what did not change since is not computed twice."""
    what = asking.what_of(state)
    if what is None:
        return
    name, form_of(frame.snapshot.run).said = desk.file(frame.snapshot.run, what)
    if name:
        frame.selection.asked = name
        reader_choice.write_link(frame.selection, frame.view)
