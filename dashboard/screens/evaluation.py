"""The page *Evaluation*: what `midwatch evaluate` measured of the run, beside what needs no transformer."""

from __future__ import annotations

import streamlit as st

from dashboard.chrome.frame import Frame
from dashboard.reading import cached
from dashboard.reading.condition import command
from dashboard.reading.snapshot import Snapshot
from dashboard.widgets.drawing import notice, plain
from dashboard.widgets.panels import show_panels
from shared.errors import SchemaError
from shared.evaluations import EvaluationPlace, all_evaluations
from shared.findings.evaluation import Evaluation, Mistake
from shared.findings.text import clean
from shared.views.evaluated.panels import evaluation_panels
from shared.views.evaluated.words import baseline_names, below, headline, rate_rows, threshold_rows, title

STRONGEST = 4
"""Words of a mistake that are named: those that pushed it most."""


def draw(frame: Frame) -> None:
    """The page, top to bottom."""
    places = sorted(all_evaluations(frame.snapshot.run), key=lambda place: -cached.stamp(place.record))
    if not places:
        _none_yet(frame.snapshot)
        return
    place = st.selectbox("Evaluation", places, format_func=lambda each: f"{each.checkpoint} on {each.data}")
    try:
        found = cached.evaluation(place)
    except (SchemaError, OSError) as error:
        with notice("warning", "This evaluation cannot be read", "unreadable"):
            plain(str(error), "unreadable")
        return
    _words(found)
    _tables(found)
    show_panels(cached.evaluation_panels(place), lambda: evaluation_panels(found), f"evaluation-{_key(place)}")
    _mistakes(found)


def _key(place: EvaluationPlace) -> str:
    return f"{place.checkpoint}-{place.data}"


def _none_yet(snapshot: Snapshot) -> None:
    with notice("note", "Nothing is evaluated yet", "none"):
        st.markdown("Measure the best checkpoint on the run's held-out test prompts:")
        st.code(command("evaluate", snapshot.run), language=None)
        st.markdown("Or on prompts of your own, labelled or not:")
        st.code(command("evaluate", snapshot.run, "--data", "prompts.jsonl"), language=None)


def _words(found: Evaluation) -> None:
    plain(title(found), "evaluation-title", "heading")
    plain(headline(found), "evaluation-headline")
    plain(below(found), "evaluation-below", "muted")
    for number, sentence in enumerate(found.warnings):
        with notice("note", "Note", f"evaluation-warning-{number}", row=True):
            plain(sentence, f"evaluation-warning-{number}")


def _tables(found: Evaluation) -> None:
    rates, thresholds = st.columns(2)
    names = baseline_names(found)
    with rates:
        rows = [
            {"rate": row.name, "judge": row.judge, **dict(zip(names, row.baselines, strict=True))}
            for row in rate_rows(found)
        ]
        if rows:
            st.dataframe(rows, hide_index=True, alt="Rates of the judge and of its baselines, with 95 % intervals")
    with thresholds:
        rows = [
            {"at": at, "threshold (nats)": nats, "TPR": tpr, "FPR": fpr}
            for at, nats, tpr, fpr in threshold_rows(found)
        ]
        if rows:
            st.dataframe(rows, hide_index=True, alt="What the judge catches at which threshold")


def _mistakes(found: Evaluation) -> None:
    mistakes = found.mistakes
    for name, listed in (
        (("Hardest misses", mistakes.missed), ("Hardest refusals", mistakes.refused)) if mistakes else ()
    ):
        if listed:
            st.subheader(name)
            st.dataframe([_row(each) for each in listed], hide_index=True, alt=f"{name}, the surest first")


def _row(mistake: Mistake) -> dict[str, str | float]:
    words = [] if mistake.attribution is None else [word for word in mistake.attribution.words if not word.special]
    strongest = sorted(words, key=lambda word: -abs(word.value))[:STRONGEST]
    return {
        "prompt": clean(mistake.text),
        "is": mistake.label,
        "score (nats)": round(mistake.score, 2),
        "words that pushed most": ", ".join(f"{clean(word.text)} {word.value:+.2f}" for word in strongest),
        "category": clean(mistake.category),
    }
