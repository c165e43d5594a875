"""The tab *Token attribution*: the display prompts two by two, one colour bar, and a panel of the word picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.chrome import reader_choice
from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.snapshot import CheckpointView
from dashboard.reading.word_pictures import WordPicture, sample_of
from dashboard.widgets.drawing import plain
from dashboard.widgets.panels import fold_together, show_panels
from dashboard.widgets.words import show_scale, show_words
from shared.figures.word_history import word_history
from shared.findings.text import clean, signed
from shared.findings.tokens import Word
from shared.findings.word_sentences import instead_of, replaced_by
from shared.results_index import ResultFile
from shared.views import Panel
from shared.views.tokens import SCALE, change_scale


def show_token_words(
    frame: Frame,
    view: CheckpointView,
    panels: Sequence[Panel],
    find: Callable[[], Sequence[Panel]],
    baseline: ResultFile | None,
) -> None:
    """The prompts, what is known of the word that the reader picked, then the words over all prompts."""
    file = view.results["tokens"]
    pictures = cached.word_pictures(file, baseline)
    cards = [number for number, panel in enumerate(panels) if panel.stem in pictures]
    said = {panels[number].headline for number in cards}
    once = len(cards) > 1 and len(said) == 1  # of a judge with nothing to explain, all say the same
    if once:
        plain(said.pop(), "words-headline", "headline")
    for pair in (cards[start : start + 2] for start in range(0, len(cards), 2)):
        for column, number in zip(st.columns(2), pair, strict=False):
            with column, st.container(border=True, height="stretch", key=f"panel-words-{number}"):
                picture = pictures[panels[number].stem]
                _card(frame, view, panels[number], picture, number, headline=not once)
    if cards:
        fold_together([panels[n] for n in cards], lambda: [find()[n] for n in cards], [f"words-{n}" for n in cards])
    show_scale(SCALE if baseline is None else change_scale(cached.load(baseline)), "words-scale")
    if frame.selection.word is not None:
        word_panel(frame, view, *frame.selection.word)
    others = [number for number in range(len(panels)) if number not in cards]
    show_panels([panels[n] for n in others], lambda: [find()[n] for n in others], "tokens")


def _card(
    frame: Frame, view: CheckpointView, panel: Panel, picture: WordPicture, number: int, *, headline: bool
) -> None:
    """One prompt's words; without its `headline` where all have the same, which stands above."""
    sample = int(panel.stem.split("_")[1])

    def picked(place: int) -> None:
        frame.selection.word = (sample, place)
        reader_choice.write_link(frame.selection, view)

    key = f"words-{number}"
    plain(panel.headline if headline else f"Sample {sample}", f"{key}-headline", "headline")
    show_words(picture, key, picked)


def word_panel(frame: Frame, view: CheckpointView, sample: int, place: int) -> None:
    """What is known of one word: its numbers, where else it stands, and its share at every checkpoint."""
    result = cached.typed(view.results.get("tokens"), "tokens")
    prompt = sample_of(result, f"sample_{sample}_") if result is not None else None
    if result is None or prompt is None or place >= len(prompt.words):
        return
    word = prompt.words[place]

    def closed() -> None:
        frame.selection.word = None
        reader_choice.write_link(frame.selection, view)

    with st.container(border=True, key="panel-word"):
        with st.container(horizontal=True, vertical_alignment="center"):
            plain(f"“{clean(word.text)}” in sample {sample}", "word-title", "heading")
            st.button("Close", icon=":material/close:", type="tertiary", key="close-word", on_click=closed)
        for number, line in enumerate(facts_of(word, prompt.shift)):
            plain(line, f"word-fact-{number}")
        others = [
            f"sample {number}: {signed(each.value / other.shift)} of the shift"
            for number, other in enumerate(result.samples)
            for each in other.words
            if number != sample and each.text.lower() == word.text.lower()
        ]
        plain(f"Elsewhere: {'; '.join(others) or 'in no other display prompt'}.", "word-others", "muted")
        _history(frame, view, prompt.probe_id, place, word)


def facts_of(word: Word, shift: float) -> list[str]:
    """What a word's panel says of it in words."""
    towards = "unsafe" if word.value > 0 else "safe"
    lines = [f"Pushes to {towards}: {signed(word.value)} nats, {signed(word.value / shift)} of the prompt's shift."]
    if word.instead_of is not None:
        lines.append(f"Compared with the twin's word: {instead_of(word.instead_of)}.")
    check = "Not replaced by other words here." if word.check is None else f"{replaced_by(word.check)}."
    return [*lines, check[0].upper() + check[1:]]


def _history(frame: Frame, view: CheckpointView, probe_id: str, place: int, word: Word) -> None:
    """Its share at each checkpoint where the prompt has the same word in that place."""
    moments = []
    for each in frame.snapshot.checkpoints:
        shares = cached.word_shares(each.results.get("tokens"), probe_id)
        same = place < len(shares) and shares[place][0] == word.text
        moments.append((each, shares[place][1] if same else None))
    if sum(share is not None for _, share in moments) < 2:
        return
    by_epoch = all(each.epoch is not None for each, _ in moments)
    figure = word_history(
        [float(each.epoch if by_epoch and each.epoch is not None else each.step) for each, _ in moments],
        [share for _, share in moments],
        [each.label for each, _ in moments],
        "epoch" if by_epoch else "optimizer step",
        next((number for number, (each, _) in enumerate(moments) if each.name == view.name), None),
    )
    words = f"Share of the word at {sum(share is not None for _, share in moments)} checkpoints"
    st.plotly_chart(figure, theme=None, alt=words, key="figure-word", config={"displayModeBar": False})
