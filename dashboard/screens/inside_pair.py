"""Inside: a prompt beside its twin, asked of the analyzer at a click, and its answer where there is one."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import desk, live, pages, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading.asking import other_weights
from dashboard.reading.inside import Answer, answer_of, question, state_of_question
from dashboard.reading.snapshot import CheckpointView
from dashboard.screens.prompt_request import request_state
from dashboard.widgets.drawing import notice, plain
from shared.errors import UsageError
from shared.findings.asked import AskedResult
from shared.findings.asked_sentences import deleted_words, word_list
from shared.findings.inside import InsidePair
from shared.findings.inside_sentences import gap_words, heads_words, neurons_words, unit_rows
from shared.findings.text import clean
from shared.requests.record import Ask, RequestState
from shared.run import Run
from shared.views.failures.one import OnePrompt
from shared.views.failures.wrong import Failures
from shared.views.overview.verdict import capital

REFUSED = "failure-refused"
"""In session state: why the last request could not be filed, by the probe's id."""


def inside_pair(frame: Frame, view: CheckpointView, found: Failures, one: OnePrompt) -> None:
    """The question, where it stands, or its answer."""
    st.subheader("Inside")
    twin = found.probes[one.near.index] if one.near is not None else None
    run = frame.snapshot.run
    try:
        what = question(view, one.probe, twin)
    except UsageError as error:
        plain(f"It cannot be asked of an analyzer: {error}", "inside-cannot", "muted")
        return
    state = state_of_question(run, what)
    answer = answer_of(run, state) if state is not None and state.state == "done" else None
    if answer is not None and state is not None:
        show(answer)
        whole(frame, view, state)
        if other_weights(view, answer.record):
            with notice("warning", "Of other weights", "inside-old"):
                plain(f"{view.label} was saved again since this was answered; ask again.", "inside-old")
            ask(run, view, what, None, one, "Ask again")
    elif state is not None and not state.final:
        frame.watched.add(live.HEARTBEAT)
        request_state(frame, state)
    else:
        ask(run, view, what, state, one)


def ask(
    run: Run,
    view: CheckpointView,
    what: Ask,
    state: RequestState | None,
    one: OnePrompt,
    words: str = "Ask the analyzer",
) -> None:
    """The button with its words, and why an earlier request was not answered."""
    if state is not None:
        plain(f"Asked before, {state.state}: {state.sentence}", "inside-before", "muted")
    if reason := st.session_state.get(REFUSED, {}).get(one.probe.id):
        with notice("error", "It was not asked", "inside-refused"):
            plain(reason, "inside-refused")

    def file() -> None:
        st.session_state[REFUSED] = {one.probe.id: desk.file(run, what)[1]}

    if not view.on_disk:
        plain(
            f"{view.label} is not on disk any more, so nothing more can be computed on it.", "inside-gone", "muted"
        )
        return
    blocked = desk.why_not(run)
    if blocked:
        plain(blocked, "inside-blocked", "muted")
    beside = "its words, attention and deletions, and which heads and neurons tell it from its twin"
    plain(f"Not computed with the checkpoint: {beside if one.near is not None else 'its words and deletions'}.",
          "inside-why", "muted")  # fmt: skip
    st.button(words, key="inside-ask", icon=":material/search:", on_click=file, disabled=bool(blocked))


def show(answer: Answer) -> None:
    """What came back."""
    found = answer.found
    if found.inside is not None:
        show_pair(found.inside, "inside")
    for number, sentence in enumerate(sentences(found)):
        plain(f"{sentence}.", f"inside-said{number}")
    for number, note in enumerate([*found.notes, *answer.record.warnings]):
        plain(clean(note), f"inside-note{number}", "muted")


def show_pair(found: InsidePair, key: str) -> None:
    """What tells a prompt from its twin: sentences, the units as a table, and what that does not say."""
    for number, sentence in enumerate(filter(None, (gap_words(found), heads_words(found), neurons_words(found)))):
        plain(f"{clean(capital(sentence))}.", f"{key}-pair{number}")
    if found.alike:
        return
    st.dataframe(
        unit_rows(found),
        hide_index=True,
        alt="Heads and neurons that tell the prompt from its twin: what each alone does to the score",
    )
    plain(
        "n = 1 pair: it describes these two prompts. Each unit really takes the value it has for the twin, alone; "
        "units that stand in for each other show little so. Chosen among all for being the largest.",
        f"{key}-honest",
        "small",
    )


def whole(frame: Frame, view: CheckpointView, state: RequestState) -> None:
    """To the page that draws every part of the answer: attention token by token, layers, deletions."""

    def move() -> None:
        frame.selection.asked = state.id
        reader_choice.open_checkpoint(frame.selection, view)
        pages.go("Test a prompt")

    st.button(
        "Whole answer on Test a prompt", key="inside-whole", icon=":material/chat:", type="tertiary", on_click=move
    )


def sentences(found: AskedResult) -> list[str]:
    """What an answer says of the prompt's words, each without its full stop."""
    attributed = f"Words: {word_list(found.words)}" if found.words is not None else ""
    return [clean(capital(each)) for each in (attributed, deleted_words(found)) if each]
