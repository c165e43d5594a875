"""The form of *Test a prompt*. What is typed is kept in the session: no live update and no other page loses it.

The text fields get a value only when they are new: a value that is set at each rerun would wipe out what the reader
has typed and not sent yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import streamlit as st

from dashboard.chrome import desk, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import asking, cached
from dashboard.reading.overview import standing_of
from dashboard.reading.which_checkpoints import CHOICES, Which, chosen
from dashboard.widgets.drawing import notice, plain
from dashboard.widgets.steered import steered
from shared.errors import UsageError
from shared.prompts.conversation import takes_response
from shared.requests.record import ALL_PARTS, PARTS, Ask, AskedPrompt, checked, id_of
from shared.run import Run

FIELDS = ("text", "twin", "response", "listed")


@dataclass
class Form:
    """What a session has typed about one run."""

    text: str = ""
    twin: str = ""
    response: str = ""
    which: Which = "shown"
    listed: str = ""
    """Checkpoints as a list."""
    inside: bool = False
    """Whether heads and neurons that tell the prompt from its twin are asked for."""
    said: str = ""
    """What is wrong with what was asked last, as one sentence."""
    number: int = 0
    """Of the text fields: with another one they are other fields, which show what the page put there."""

    def fill(self, prompt: AskedPrompt) -> None:
        """Put a prompt into the fields."""
        self.text, self.twin, self.response = prompt.text, prompt.twin, prompt.response
        self.said, self.number = "", self.number + 1

    def key(self, name: str) -> str:
        return f"ask-{name}-{self.number}"

    def take(self) -> None:
        """What the fields hold now."""
        for name in FIELDS:
            if self.key(name) in st.session_state:
                setattr(self, name, st.session_state[self.key(name)] or "")


def form_of(run: Run) -> Form:
    """The session's form about a run."""
    forms: dict[str, Form] = st.session_state.setdefault("ask-forms", {})
    return forms.setdefault(str(run.out), Form())


def form(frame: Frame) -> None:
    """The fields and the button; beside them what is wrong, or why nothing can be asked."""
    mine, run = form_of(frame.snapshot.run), frame.snapshot.run
    if not mine.text and frame.selection.asked is not None and not mine.number:
        _from_link(frame, mine)
    own, beside = st.columns([3, 2])
    with own:
        _area(mine, "text", "Prompt", "What the judge is to read", 108)
    with beside:
        _area(mine, "twin", "Twin (optional)", "The same in a few other words, to compare word by word", 108)
    record = cached.run_record(run)
    if mine.response or (record is not None and takes_response(record.judge.template)):
        _area(mine, "response", "Response (optional)", "What was answered to the prompt", 68)
    why_not = desk.why_not(run)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="ask-row"):
        _which(frame, mine)
        _inside(mine)
        st.button(
            "Ask", type="primary", icon=":material/send:", key="ask", disabled=bool(why_not),
            on_click=_submit, args=(frame, mine),
        )  # fmt: skip
        if mine.said or why_not:
            with notice("warning", "Not asked", "refused", row=True):
                plain(why_not or mine.said, "refused")


def _from_link(frame: Frame, mine: Form) -> None:
    """A link to an answer brings its prompt along."""
    state = asking.request_of(frame.snapshot.run, frame.selection.asked)
    what = asking.what_of(state) if state is not None else None
    if what is not None:
        mine.fill(what.prompts[0])
        mine.inside = "inside" in what.parts


def _area(mine: Form, name: str, label: str, placeholder: str, height: int) -> None:
    key = mine.key(name)
    if key not in st.session_state:
        st.session_state[key] = getattr(mine, name)
    st.text_area(label, key=key, placeholder=placeholder, height=height, on_change=mine.take)


def _which(frame: Frame, mine: Form) -> None:
    """Which checkpoints to ask."""

    def picked(which: Which) -> None:
        mine.which, mine.said = which, ""

    assert frame.view is not None  # noqa: S101 (the page's condition)
    there = sum(view.on_disk for view in frame.snapshot.checkpoints)
    told: dict[str, str] = CHOICES | {  # type: ignore[assignment]
        "shown": f"the one shown ({frame.view.label})", "all": f"all {there} on disk",
    }  # fmt: skip
    options: tuple[Any, ...] = get_args(Which)
    widget = steered("ask-which", mine.which, picked)
    st.selectbox("At which checkpoints", options, format_func=told.__getitem__, width=230, **widget)
    if mine.which == "list":
        key = mine.key("listed")
        if key not in st.session_state:
            st.session_state[key] = mine.listed
        st.text_input("Which", key=key, placeholder="1,5-7,last", width=160, on_change=mine.take)


def _inside(mine: Form) -> None:
    """Whether to compute what no other question needs."""

    def picked(on: bool) -> None:
        mine.inside, mine.said = on, ""

    st.toggle(
        "Inside",
        help="Also which heads and neurons tell the prompt from its twin, beside random ones: takes minutes.",
        **steered("ask-inside", mine.inside, picked),
    )


def _submit(frame: Frame, mine: Form) -> None:
    """File what the fields hold, or say what is wrong with it; what was answered already is only opened."""
    mine.take()
    mine.said = ""
    try:
        what = question(frame, mine)
    except UsageError as error:
        mine.said = str(error)
        return
    name = id_of(what)
    known = asking.request_of(frame.snapshot.run, name)
    answered = known is not None and known.state == "done" and not asking.out_of_date(frame.snapshot, known)
    if known is None or not (answered or known.state in ("waiting", "running")):
        name, mine.said = desk.file(frame.snapshot.run, what)
    if name:
        frame.selection.asked = name
        reader_choice.write_link(frame.selection, frame.view)


def question(frame: Frame, mine: Form) -> Ask:
    """What is asked. Raises UsageError, one sentence."""
    assert frame.view is not None  # noqa: S101 (the page's condition)
    prompt = {"text": mine.text, "twin": mine.twin, "response": mine.response}
    checked(Ask, checkpoints=["any"], prompts=[prompt])  # what is wrong with the text is said before anything else
    if mine.inside and not mine.twin.strip():
        raise UsageError('"Inside" compares the prompt with its twin: write one, or switch it off.')
    best = standing_of(frame.snapshot, frame.selection.limit).best if mine.which == "span" else None
    names = chosen(mine.which, mine.listed, frame.snapshot.checkpoints, frame.view, best.name if best else None)
    return checked(Ask, checkpoints=names, prompts=[prompt], parts=ALL_PARTS if mine.inside else PARTS)
