"""The answer to an asked prompt: the verdict in words, the score over checkpoints, then why at one of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from dashboard.chrome import reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import asking, cached
from dashboard.reading.asking import Answer
from dashboard.screens.inside_pair import show_pair
from dashboard.screens.prompt_candidate import candidate
from dashboard.screens.prompt_request import ask_again
from dashboard.screens.prompt_words import words
from dashboard.widgets.drawing import notice, plain
from dashboard.widgets.panels import show_panels
from dashboard.widgets.steered import steered
from shared.findings.asked import AskedResult
from shared.findings.claims import SEPARATION, nothing_to_explain
from shared.requests.record import AskedPrompt, RequestState
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.asked.panels import prompt_panels, scores_panel
from shared.views.asked.words import answer_sentences, flip_rows, nearest_rows, weakness

PARTS = {
    "words": "Words", "deleted": "Words deleted", "flips": "What flips it", "layers": "Layers",
    "attention": "Heads", "inside": "Beside its twin", "nearest": "Nearest probes",
}  # fmt: skip
"""Part of an answer -> title of its tab."""
LONG = 400
"""Characters of the asked prompt above its answer; the form has all of it."""


def answer(frame: Frame, state: RequestState, states: list[RequestState]) -> None:
    """Everything that is answered so far."""
    what = asking.what_of(state)
    if what is None:
        return
    place = _which_prompt(len(what.prompts), state.id)
    prompt, found = what.prompts[place], asking.answers(frame.snapshot.run, state, place)
    _failures(frame, state, [each for each in found if each.problem])
    told = [each for each in found if each.record is not None]
    if not told:
        return
    shown = _shown(frame, told)
    assert shown.record is not None and shown.found is not None  # noqa: S101 (told)
    _say(frame, state, prompt, shown, told)
    _over_checkpoints(frame, shown.record, told, shown.found.prompt.text)
    parts = _parts(frame, state, states, prompt, shown, told)
    titles = {title: name for name, title in PARTS.items() if name in parts}
    opened = next((title for title, name in titles.items() if name == frame.selection.why), next(iter(titles)))

    def switched(title: str) -> None:
        frame.selection.why = titles[title]
        reader_choice.write_link(frame.selection, frame.view)

    for title, tab in zip(titles, st.tabs(list(titles), **steered("why", opened, switched)), strict=True):
        if tab.open:
            with tab:
                parts[titles[title]]()
    candidate(frame, state.id, prompt, shown.found)


def _parts(
    frame: Frame,
    state: RequestState,
    states: list[RequestState],
    prompt: AskedPrompt,
    shown: Answer,
    told: list[Answer],
) -> dict[str, Callable[[], None]]:
    """What the answer holds, by name, each with what draws it."""
    record, found = shown.record, shown.found
    assert record is not None and found is not None  # noqa: S101 (the caller's condition)
    panels = {
        panel.stem.removeprefix("asked_"): panel for panel in prompt_panels(record, found, _layers(frame, shown))
    }
    drawn: dict[str, Callable[[], None]] = {}
    if found.words is not None or asking.changes_of(states, prompt):
        drawn["words"] = lambda: words(frame, state, states, prompt, shown, told)
    for name, panel in panels.items():
        drawn[name] = lambda panel=panel: show_panels([panel], lambda: [panel], f"asked-{panel.stem}")
    if found.flips is not None:
        drawn["flips"] = lambda: _weakness(found)
    if (inside := found.inside) is not None:
        drawn["inside"] = lambda: show_pair(inside, "asked")
    if found.nearest:
        drawn["nearest"] = lambda: _nearest(found)
    return drawn or {"words": lambda: plain("Nothing but the score was asked.", "score-only", "muted")}


def _which_prompt(count: int, name: str) -> int:
    """A request of the command line may ask several prompts; the page asks one."""
    if count < 2:
        return 0
    return st.selectbox(
        "Prompt", range(count), format_func=lambda place: f"{place + 1} of {count}", key=f"of-{name}"
    )


def _failures(frame: Frame, state: RequestState, damaged: list[Answer]) -> None:
    """Checkpoints without an answer, each with its cause."""
    failed = [(each.checkpoint, each.cause) for each in state.checkpoints if each.state == "failed"]
    lines = [f"{name}: {cause}" for name, cause in failed] + [each.problem for each in damaged]
    if not lines or (not damaged and len(failed) == len(state.checkpoints)):
        return  # all failed: the sentence above says why
    with notice("warning", "Not every checkpoint has an answer", "unanswered"):
        for number, line in enumerate(lines[:8]):
            plain(line, f"unanswered-{number}")
        if damaged and state.final:
            st.button("Ask again", key="ask-damaged", on_click=ask_again, args=(frame, state))


def _shown(frame: Frame, told: list[Answer]) -> Answer:
    """The answer of the checkpoint in the bar; where that was not asked the newest one, which is then said."""
    return next((each for each in told if frame.view and each.checkpoint == frame.view.name), told[-1])


def _say(frame: Frame, state: RequestState, prompt: AskedPrompt, shown: Answer, told: list[Answer]) -> None:
    assert shown.record is not None and shown.found is not None  # noqa: S101 (the caller's condition)
    label = _label(frame, shown)
    plain(prompt.text, "asked-text", "muted", LONG)
    sentences = answer_sentences(label, shown.found)
    plain(sentences[0], "asked-verdict", "heading")
    for number, sentence in enumerate(sentences[1:]):
        plain(sentence, f"asked-more-{number}")
    if frame.view is not None and shown.checkpoint != frame.view.name:
        plain(f"{frame.view.label}, in the bar above, has no answer; this is {label}'s.", "asked-other", "muted")
    if asking.other_weights(frame.snapshot.get(shown.checkpoint), shown.record):
        with notice("warning", "Of other weights", "asked-old"):
            plain(f"{label} was saved again since this was answered; ask again.", "asked-old")
    with st.container(horizontal=True, vertical_alignment="bottom", key="asked-row"):
        if len(told) > 1:
            _checkpoint_picker(frame, shown, told)
        st.button("Ask again", key="ask-once-more", type="tertiary", icon=":material/refresh:",
                  on_click=ask_again, args=(frame, state), disabled=not state.final)  # fmt: skip
        st.download_button(
            "JSON", lambda: _json(shown.record), file_name=f"{state.id}.json", mime="application/json",
            key="asked-json", on_click="ignore", icon=":material/download:", type="tertiary",
        )  # fmt: skip
    for number, sentence in enumerate([*_nothing(frame, shown), *shown.found.notes]):
        plain(f"Note: {sentence}", f"asked-note-{number}", "muted")


def _json(record: ResultRecord | None) -> bytes:
    return json.dumps(record.model_dump(mode="json") if record else {}, ensure_ascii=False, indent=1).encode()


def _label(frame: Frame, each: Answer) -> str:
    view = frame.snapshot.get(each.checkpoint)
    return view.label if view is not None else each.record.label if each.record is not None else each.checkpoint


def _checkpoint_picker(frame: Frame, shown: Answer, told: list[Answer]) -> None:
    """Moves the bar, so that one control drives everything."""
    labels = {each.checkpoint: _label(frame, each) for each in told}

    def picked(name: str) -> None:
        view = frame.snapshot.get(name)
        if view is not None:
            reader_choice.open_checkpoint(frame.selection, view)

    widget = steered("asked-at", shown.checkpoint, picked)
    st.selectbox("Answer at", list(labels), format_func=labels.__getitem__, width=200, **widget)


def _nothing(frame: Frame, shown: Answer) -> list[str]:
    """Whether this judge tells the classes of the probe set apart at all."""
    layers = _layers(frame, shown)
    nothing = (
        layers.to_explain and nothing_to_explain(layers.to_explain, SEPARATION) if layers is not None else None
    )
    return [f"{nothing}: what is said of a single prompt may be chance, too."] if nothing else []


def _layers(frame: Frame, shown: Answer):
    """The probe set's layers at this checkpoint, of the same weights; None without."""
    view = frame.snapshot.get(shown.checkpoint)
    file = view.results.get("layers") if view is not None else None
    if file is None or shown.record is None:
        return None
    found = cached.typed(file, "layers")
    same = found is not None and cached.load(file).checkpoint_digest == shown.record.checkpoint_digest
    return found if same else None


def _over_checkpoints(frame: Frame, record: ResultRecord, told: list[Answer], text: str) -> None:
    def find() -> list[Panel]:
        return [scores_panel(asking.moments(frame.snapshot, told), record, text)]

    show_panels(find(), find, "asked-scores")


def _weakness(found: AskedResult) -> None:
    if found.flips is None:
        return
    plain(f"Weakness: {weakness(found.flips)}", "weakness", "heading")
    rows = flip_rows(found.flips)
    if rows:
        st.dataframe(rows, hide_index=True, alt="Words replaced, in order, with the score after each")
    plain(
        f"Picked by the gradient, {found.flips.tried} texts really scored; fewer may exist than are found. It "
        "shows what the judge hangs on, and is no text that anybody writes.",
        "weakness-how",
        "small",
    )


def _nearest(found: AskedResult) -> None:
    rows = nearest_rows(found)
    if rows:
        st.dataframe(rows, hide_index=True, alt="Nearest probes: likeness, text, label and score")
