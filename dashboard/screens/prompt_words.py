"""The words of an asked prompt: click one, delete or replace it, and see what really becomes of the score."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import desk
from dashboard.chrome.frame import Frame
from dashboard.reading import asking
from dashboard.reading.asking import Answer
from dashboard.reading.word_pictures import asked_picture
from dashboard.screens.prompt_candidate import prompt_key
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import fold
from dashboard.widgets.steered import steered
from dashboard.widgets.words import show_scale, show_words
from shared.errors import UsageError
from shared.findings.asked import AskedResult
from shared.findings.text import clean
from shared.findings.tokens import Word
from shared.requests.record import Ask, AskedPrompt, RequestState, checked
from shared.views.asked.panels import words_flags, words_panel
from shared.views.asked.words import change_row
from shared.views.tokens import SCALE

MOST_ROWS = 200
SAID = "asked-said"
"""In session state: why the last change was not filed, by the key of its prompt."""


def words(
    frame: Frame,
    state: RequestState,
    states: list[RequestState],
    prompt: AskedPrompt,
    shown: Answer,
    told: list[Answer],
) -> None:
    """The figure, the choice of a word, and the changes that were tried."""
    assert shown.record is not None and shown.found is not None  # noqa: S101 (the caller's condition)
    record, sample = shown.record, shown.found.words
    if sample is not None:
        panel = words_panel(record, sample)
        with st.container(border=True, key="panel-asked-words"):
            plain(panel.headline, "asked-words-headline", "headline")
            picture = asked_picture(sample, words_flags(sample))
            show_words(picture, "asked-words", lambda place: _clicked(state.id, sample.words, prompt, place))
            show_scale(SCALE, "asked-words-scale")
            fold(panel, lambda: panel, "asked-words")
        _choose(frame, state, prompt, shown.found, sample.words)
    _tried(frame, states, prompt, told)


def changeable(word: Word, prompt: AskedPrompt) -> bool:
    """Whether a word stands in the prompt's own text, where it can be changed."""
    inside = not word.special and word.end > word.start and word.end <= len(prompt.text)
    return inside and prompt.text[word.start : word.end].strip() == word.text.strip() != ""


def _clicked(name: str, sample: list[Word], prompt: AskedPrompt, place: int) -> None:
    if place < len(sample) and changeable(sample[place], prompt):
        st.session_state["asked-word"] = (name, place)


def _choose(frame: Frame, state: RequestState, prompt: AskedPrompt, found: AskedResult, sample: list[Word]) -> None:
    """A word, by a click above or from the list; then what deleting it does, and a field for another one."""
    places = [place for place, word in enumerate(sample) if changeable(word, prompt)]
    name, place = st.session_state.get("asked-word", ("", None))
    place = place if name == state.id and place in places else None

    def picked(now: int | None) -> None:
        st.session_state["asked-word"] = (state.id, now)

    with st.container(horizontal=True, vertical_alignment="bottom", key="asked-change"):
        widget = steered("asked-which-word", place, picked)
        st.selectbox(
            "Change a word (or click it)", places, index=None, placeholder="choose",
            format_func=lambda each: clean(sample[each].text, 30), width=220, **widget,
        )  # fmt: skip
        if place is None:
            return
        word = sample[place]
        st.text_input(
            "Put in its place", key=f"asked-new-{state.id}-{place}", placeholder="another word", width=200
        )
        stop = bool(desk.why_not(frame.snapshot.run))
        for label, deletes in (("Replace", False), ("Delete", True)):
            st.button(label, key=f"asked-{label}", disabled=stop, on_click=_change,
                      args=(frame, state, prompt, word, place, deletes))  # fmt: skip
    without = next((each for each in found.deleted if (each.start, each.end) == (word.start, word.end)), None)
    if without is not None:
        row = change_row("", without, found.prompt.score)
        told = f"Without it: {row['score (nats)']} nats ({row['change (nats)']}), {row['verdict']}."
        plain(told, "asked-without", "muted")
    key = prompt_key(frame.snapshot.run, state.id, prompt)
    if said := st.session_state.get(SAID, {}).get(key):
        plain(said, "asked-said", "muted")


def _change(frame: Frame, state: RequestState, prompt: AskedPrompt, word: Word, place: int, deletes: bool) -> None:
    """File the question what one change does, at the checkpoints that were asked."""
    new = "" if deletes else st.session_state.get(f"asked-new-{state.id}-{place}", "").strip()
    what, run = asking.what_of(state), frame.snapshot.run
    if what is None:
        return
    if not deletes and not new:
        said = "Write what is to stand in its place, or delete it."
    else:
        try:
            said = desk.file(run, change_of(what, prompt, word, new))[1]
        except UsageError as error:
            said = str(error)
    st.session_state[SAID] = {prompt_key(run, state.id, prompt): said}


def change_of(what: Ask, prompt: AskedPrompt, word: Word, new: str) -> Ask:
    """The question about one changed word; a deleted one takes a space along. Raises UsageError."""
    end = word.end + (not new and prompt.text[word.end : word.end + 1] == " ")
    edit = {"start": word.start, "end": end, "word": new}
    bare = {"text": prompt.text, "twin": prompt.twin, "response": prompt.response, "edits": [edit]}
    return checked(Ask, checkpoints=what.checkpoints, prompts=[bare], parts=("score",))


def _tried(frame: Frame, states: list[RequestState], prompt: AskedPrompt, told: list[Answer]) -> None:
    """What was changed so far, each change at each checkpoint that was asked."""
    own = {each.checkpoint: each.found.prompt.score for each in told if each.found is not None}
    rows, waiting = [], []
    for state in asking.changes_of(states, prompt):
        what = asking.what_of(state)
        assert what is not None  # noqa: S101 (only such are found)
        number = next(n for n, each in enumerate(what.prompts) if each.edits and asking.same_prompt(each, prompt))
        for each in asking.answers(frame.snapshot.run, state, number):
            if each.found is None or each.record is None:
                continue
            score = own.get(each.checkpoint, each.found.prompt.score)
            view = frame.snapshot.get(each.checkpoint)
            label = view.label if view is not None else each.record.label
            rows += [change_row(label, change, score) for change in each.found.edits]
        if not state.final or state.state in ("refused", "failed"):
            old = [clean(prompt.text[edit.start : edit.end], 40).strip() for edit in what.prompts[number].edits]
            waiting.append(f"{', '.join(old)}: {state.state}. {state.sentence}".strip())
    if rows:
        st.subheader("Changes that were tried")
        st.dataframe(
            rows[-MOST_ROWS:], hide_index=True, alt="Words changed, with the score that was really measured"
        )
    for number, line in enumerate(waiting[-5:]):
        plain(line, f"asked-waiting-{number}", "muted")
