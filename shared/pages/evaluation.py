"""The page of an evaluation: its headline, tables, figures, and the hardest mistakes with their words coloured."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from markupsafe import Markup

from shared.evaluations import EvaluationPlace
from shared.figures.kit.sheet import untitled
from shared.figures.kit.style import diverging_colour, nice_limit
from shared.figures.tokens import MAX_WORDS, RANGE, readable
from shared.files import write_bytes_atomic
from shared.findings.evaluation import Evaluation, Mistake
from shared.findings.text import clean, percent, signed
from shared.findings.tokens import Word
from shared.pages.html import CONFIG, PLOTLY_JS, paragraph, write_plotly_js
from shared.pages.table import MAX_CSV_ROWS, Table, csv_json, table_of
from shared.pages.templates import SCRIPT, SCRIPT_SHA256, STYLE, fill, script_json
from shared.views import Panel
from shared.views.evaluated.panels import evaluation_panels
from shared.views.evaluated.words import (
    against_words,
    baseline_names,
    below,
    headline,
    method,
    rate_rows,
    threshold_rows,
    title,
)

MAX_PROMPT = 400
"""Characters of a mistake's prompt that are shown where its words are not attributed."""


class Figure(NamedTuple):
    """One figure of the page."""

    number: int
    title: str
    headline: str
    alt: str
    stem: str
    paragraphs: list[tuple[str | None, str]]
    table: Table
    figure: Markup
    rows: Markup


class Marked(NamedTuple):
    """One word with its colour."""

    text: str
    colour: str
    ink: str
    hover: str


class Told(NamedTuple):
    """One mistake."""

    said: str
    text: str
    marked: list[Marked]
    more: int
    """Words beyond those that are shown."""


class Side(NamedTuple):
    """Mistakes of one kind."""

    title: str
    words: str
    told: list[Told]


def write_evaluation_page(place: EvaluationPlace, found: Evaluation) -> None:
    """Replace the page. Raises OSError."""
    write_plotly_js(place.page.parent)
    write_bytes_atomic(place.page, evaluation_html(place, found).encode("utf-8"), durable=False)


def evaluation_html(place: EvaluationPlace, found: Evaluation) -> str:
    """The whole page; every word from data is escaped."""
    return fill(
        "evaluation.html",
        title=title(found),
        headline=headline(found),
        below=below(found),
        warnings=found.warnings,
        rates=rate_rows(found),
        baselines=baseline_names(found),
        against=[against_words(each) for each in found.baselines],
        thresholds=threshold_rows(found),
        panels=[_figure(number, panel, headline(found)) for number, panel in enumerate(evaluation_panels(found))],
        mistakes=_sides(found),
        method=method(found),
        record=_from_page(place, place.record),
        predictions=_from_page(place, place.predictions),
        max_csv_rows=MAX_CSV_ROWS,
        config=script_json(json.dumps(CONFIG)),
        style=STYLE,
        script=SCRIPT,
        script_sha256=SCRIPT_SHA256,
        plotly_js=PLOTLY_JS,
    )


def _from_page(place: EvaluationPlace, path: os.PathLike[str]) -> str:
    return os.path.relpath(path, place.page.parent)


def _figure(number: int, panel: Panel, said: str) -> Figure:
    """A panel of the page; a headline that the page has `said` already is not said again."""
    again = panel.headline == said
    figure = untitled(panel.figure) if again else panel.figure
    return Figure(
        number=number,
        title=panel.title,
        headline="" if again else panel.headline,
        alt=panel.alt,
        stem=panel.stem,
        paragraphs=[paragraph(line) for line in panel.caption.split("\n")],
        table=table_of(panel.rows),
        figure=script_json(str(figure.to_json(validate=False))),
        rows=script_json(csv_json(panel.rows)),
    )


def _sides(found: Evaluation) -> list[Side]:
    """Missed and refused prompts, each with its sentence."""
    mistakes = found.mistakes
    if mistakes is None:
        return []
    limit = nice_limit(word.value for each in [*mistakes.missed, *mistakes.refused] for word in _words(each))
    how = mistakes.note or (
        "Words that push to unsafe are red, to safe blue (integrated gradients from a prompt without its words); "
        f"colours end at ±{limit:g} nats for all of them."
    )
    sides = (
        ("Hardest misses", "Unsafe prompts judged safe, the surest first.", mistakes.missed),
        ("Hardest refusals", "Safe prompts judged unsafe, the surest first.", mistakes.refused),
    )
    return [
        Side(name, f"{words} {how}", [_told(each, limit) for each in listed])
        for name, words, listed in sides
        if listed
    ]


def _told(mistake: Mistake, limit: float) -> Told:
    """`limit`: nats at which colours end, of all mistakes: scaled to its own, each prompt would look as sure."""
    words = [_marked(word, limit) for word in _words(mistake)]
    category = f" · {mistake.category}" if mistake.category else ""
    gap = "" if mistake.attribution is None or mistake.attribution.converged else " · attribution not converged"
    stated = "" if mistake.probability is None else f", {percent(mistake.probability)} unsafe"
    said = f"{signed(mistake.score)} nats{stated}; is {mistake.label}{category}{gap}"
    return Told(said, clean(mistake.text, MAX_PROMPT), words[:MAX_WORDS], max(0, len(words) - MAX_WORDS))


def _words(mistake: Mistake) -> list[Word]:
    """The words that the judge read, special tokens left out; none where they are not attributed."""
    sample = mistake.attribution
    return [] if sample is None else [word for word in sample.words if not word.special]


def _marked(word: Word, limit: float) -> Marked:
    share = word.value / limit
    return Marked(word.text, diverging_colour(share), readable(RANGE * share), f"{signed(word.value, 3)} nats")
