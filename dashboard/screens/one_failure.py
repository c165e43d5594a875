"""One probe opened: over the checkpoints, through the layers, its words, and what tells it from its twin."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome import pages, reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.condition import condition
from dashboard.reading.failures import lens_of
from dashboard.reading.snapshot import CheckpointView
from dashboard.screens.inside_pair import inside_pair
from dashboard.widgets.drawing import notice, plain, show_condition
from dashboard.widgets.panels import fold, show_panels
from dashboard.widgets.words import show_scale, show_words
from shared import views
from shared.findings.text import clean, percent
from shared.views import Panel
from shared.views.failures.one import OnePrompt, one_prompt
from shared.views.failures.panels import course_panel, readout_panel
from shared.views.failures.table import verdict_of
from shared.views.failures.words import SIDE_WORDS, course_words
from shared.views.failures.wrong import Failures
from shared.views.tokens import SCALE

TABS = ("tokens", "layers", "heads", "neurons", "circuits")
"""Of Training Visualizations, in which the prompt is looked at further."""


def one_failure(frame: Frame, view: CheckpointView, found: Failures) -> None:
    """The opened prompt; nothing where none is."""
    choice = frame.selection.failures
    if not choice.prompt:
        return
    index = found.at(choice.prompt)
    if index is None:
        with notice("note", "This prompt is not there", "failure-missing"):
            plain(f"No probe that {view.label} was judged on has the id {choice.prompt}.", "failure-missing")
        return
    results = {name: cached.typed(view.results.get(name), name) for name in ("tokens", "neurons", "heads")}
    one = one_prompt(found, index, lens_of(view), **results)
    with st.container(border=True, key="failure-opened"):
        about(frame, view, found, one)
        figures(frame, view, found, one)
        words(frame, view, one)
        inside_pair(frame, view, found, one)
        further(frame, view, one)


def about(frame: Frame, view: CheckpointView, found: Failures, one: OnePrompt) -> None:
    """The prompt itself, and its twin."""
    probe, history = one.probe, found.history

    def close() -> None:
        frame.selection.failures.prompt = ""
        reader_choice.write_link(frame.selection, view)

    plain(clean(probe.text), "failure-text", "heading", 20_000)
    if probe.response:
        plain(f"Response: {clean(probe.response)}", "failure-response", "body", 20_000)
    wrong = bool(history.wrong[history.place, one.index])
    side = "missed" if probe.label == "unsafe" else "refused"
    kind = SIDE_WORDS[side] if wrong else f"{probe.label}, not judged wrongly at {view.label}"
    kept = [kind, f"{verdict_of(found, one.index)} nats", course_words(history, one.course)]
    kept += [f"{name} {clean(value, 60)}" for name in ("category", "language", "style", "source")
             if (value := getattr(probe, name))]  # fmt: skip
    plain(" · ".join(kept), "failure-facts", "muted")
    if one.near is None:
        plain("No contrast twin, and no rightly judged probe of the other label shares a fifth of its words.",
              "failure-twin", "muted")  # fmt: skip
    else:
        twin = found.probes[one.near.index]
        name = "Contrast twin" if one.near.how == "pair" else (
            f"Nearest by words ({percent(one.near.shared)} shared; no contrast twin)"
        )  # fmt: skip
        plain(f"{name}: {clean(twin.text)} ({twin.label}, {verdict_of(found, one.near.index)} nats)",
              "failure-twin", "body", 20_000)  # fmt: skip
    st.button("Close", key="failure-close", icon=":material/close:", type="tertiary", on_click=close)


def figures(frame: Frame, view: CheckpointView, found: Failures, one: OnePrompt) -> None:
    """Over the checkpoints, and through the layers, beside each other."""
    with st.container(key="failure-figures"):
        left, right = st.columns(2)
    with left:
        show_panels(
            [course_panel(found, one)], lambda: [course_panel(found, one)], f"failure-{one.probe.id}-course"
        )
    with right:
        panel = readout_panel(found, one)
        if panel is not None:
            show_panels([panel], lambda: [panel], f"failure-{one.probe.id}-layers")
            return
        state = condition(frame.snapshot, view, "layers", frame.now)
        if state.kind != "ready":
            plain("Through the layers:", "failure-layers", "muted")
            show_condition(state, "failure-layers")
        else:
            why = (
                "this judge's layers are not read so, or the result cannot be read, or is of other prompts or "
                "weights than the verdicts"
            )
            plain(f"The results hold no score read early of this prompt: {why}.", "failure-layers", "muted")


def words(frame: Frame, view: CheckpointView, one: OnePrompt) -> None:
    """Its attributed words as the tab of token attribution draws them; else why there are none."""
    place = sample_place(view, one)
    if place is not None:
        word_card(frame, view, place)
    elif (state := condition(frame.snapshot, view, "tokens", frame.now)).kind != "ready":
        plain("Words:", "failure-words", "muted")
        show_condition(state, "failure-words")
    else:
        plain("Words: not among the attributed prompts at this checkpoint; ask for them below.",
              "failure-words", "muted")  # fmt: skip
    if one.neurons:
        plain(f"Neurons that are strongest on a word of it: {'; '.join(one.neurons)}.", "failure-neurons")
    if one.heads:
        plain(f"Heads that carry the verdict over the probe set: {', '.join(one.heads)}.", "failure-heads", "muted")


def sample_place(view: CheckpointView, one: OnePrompt) -> int | None:
    """Number of the prompt among those that are attributed."""
    result = cached.typed(view.results.get("tokens"), "tokens")
    samples = result.samples if result is not None else []
    return next((at for at, sample in enumerate(samples) if sample.probe_id == one.probe.id), None)


def word_card(frame: Frame, view: CheckpointView, place: int) -> None:
    """The words of one attributed prompt; a click opens the word's panel in Training Visualizations."""
    file = view.results["tokens"]

    def find() -> Panel:
        return next(each for each in cached.panels(file, "tokens") if each.stem.startswith(f"sample_{place}_"))

    def picked(word: int) -> None:
        frame.selection.word = (place, word)
        to_training(frame, view, "tokens")

    panel = find()
    with st.container(border=True, key="panel-failure-words"):
        plain(panel.headline, "failure-words-headline", "headline")
        show_words(cached.word_pictures(file)[panel.stem], "failure-words-card", picked)
        fold(panel, find, "failure-words")
    show_scale(SCALE, "failure-words-scale")


def to_training(frame: Frame, view: CheckpointView, tab: str) -> None:
    """Move to a tab of Training Visualizations at this checkpoint; the prompt stays chosen."""
    frame.selection.tab = tab
    reader_choice.open_checkpoint(frame.selection, view)
    pages.go("Training Visualizations")


def further(frame: Frame, view: CheckpointView, one: OnePrompt) -> None:
    """The tabs of Training Visualizations."""
    known = {each.name: each.title for each in views.all_views()}
    place = sample_place(view, one)

    def move(tab: str) -> None:
        if tab == "tokens" and place is not None and one.sample is not None:
            sizes = [0.0 if word.special else abs(word.value) for word in one.sample.words]
            frame.selection.word = (place, sizes.index(max(sizes)))
        to_training(frame, view, tab)

    with st.container(key="failure-further", horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption("In Training Visualizations:", width="content")
        for tab in TABS:
            if tab in view.results:
                st.button(known[tab], key=f"failure-{tab}", type="tertiary", on_click=move, args=(tab,))
