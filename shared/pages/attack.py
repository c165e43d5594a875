"""The page of an attack: its archive as pictures, the sentences that follow, and examples word by word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.attacks import AttackPlace
from shared.figures.attack.archive import NAMES, attack_figure
from shared.figures.kit.style import diverging_colour, nice_limit
from shared.files import write_bytes_atomic
from shared.findings.attack import AttackArchive, Direction, Example, turned_at
from shared.findings.attack_sentences import depth, extent, fate, headline, over_checkpoints, strongest
from shared.findings.text import counted, escape, percent, signed
from shared.pages.html import CONFIG, PLOTLY_JS, write_plotly_js
from shared.pages.table import MAX_CSV_ROWS, csv_json, table_of
from shared.pages.templates import SCRIPT, SCRIPT_SHA256, STYLE, fill, script_json
from shared.run import Run

GAP_BOUND = 0.05
"""Completeness gap of an attribution above which it is said beside the words."""
DEEPEST = 0.5
"""Of the colour scale, for the largest word: beyond it dark text is hard to read."""
READING = (
    (
        "What it shows",
        " Prompts whose label is known, put in ways that keep it, until the judge errs. Each cell holds the text "
        "of one risk and one technique that the judge is surest to misread.",
    ),
    (
        "How to read it",
        " A number is nats for the wrong verdict: 1 nat is odds of 2.7 to 1. A larger budget finds more, so "
        "compare archives of one budget only. Success counts seeds, each once.",
    ),
    (
        "Worrying",
        " A row or column that is red throughout: a risk, or a way of asking, that the judge does not see through; "
        "safe prompts refused as soon as they are framed.",
    ),
)
"""What stands on every such page: lead, and the rest."""


def draw_attack(run: Run, checkpoint: str) -> Path:
    """Write the page of one checkpoint's attack.

    Raises FileNotFoundError without an archive, SchemaError for one that cannot be read, OSError.
    """
    place = AttackPlace(run, checkpoint)
    page = attack_html(run.name, place.page.stem, place.read_archive())
    write_plotly_js(place.page.parent)
    write_bytes_atomic(place.page, page.encode("utf-8"), durable=False)
    return place.page


def draw_attacks(run: Run) -> list[Path]:
    """The pages of every attack on a run. Raises SchemaError and OSError."""
    found = sorted(run.attacks.glob("*/archive.json")) if run.attacks.is_dir() else []
    return [draw_attack(run, path.parent.name) for path in found]


def attack_html(name: str, stem: str, archive: AttackArchive) -> str:
    """The whole page; every word from data is escaped."""
    said, subtitle = headline(archive), attack_subtitle(archive)
    figure = attack_figure(archive, escape(said, 400), escape(subtitle, 400))
    rows = table_rows(archive)
    return fill(
        "attack.html",
        title=f"Open-ended testing: {name}, {archive.label}",
        headline=said,
        stem=stem,
        alt=f"{said}. {' '.join(f'{NAMES[each.label]}: {extent(each)}.' for each in archive.directions)}",
        paragraphs=attack_paragraphs(archive),
        examples=[_examples(direction, archive) for direction in archive.directions],
        method=attack_method(archive),
        warnings=archive.notes,
        notices=(),
        table=table_of(rows),
        max_csv_rows=MAX_CSV_ROWS,
        figure=script_json(str(figure.to_json(validate=False))),
        rows=script_json(csv_json(rows)),
        config=script_json(json.dumps(CONFIG)),
        style=STYLE,
        script=SCRIPT,
        script_sha256=SCRIPT_SHA256,
        plotly_js=PLOTLY_JS,
    )


def table_rows(archive: AttackArchive) -> list[dict[str, Any]]:
    """One row a failure."""
    return [
        {
            "label": failure.label,
            "risk": failure.risk,
            "technique": failure.technique,
            "score": failure.score,
            "seed_score": failure.seed_score,
            "wrong_from_layer": failure.wrong_from,
            "rules": ", ".join(failure.rules),
            "text": failure.text,
            "seed": failure.seed,
        }
        for failure in archive.failures
    ]


def attack_subtitle(archive: AttackArchive) -> str:
    """What the headline rests on."""
    return "; ".join(f"{NAMES[direction.label]}: {extent(direction)}" for direction in archive.directions)


def attack_paragraphs(archive: AttackArchive) -> list[tuple[str | None, str]]:
    """What it shows, how to read it, what would be worrying, and what was found."""
    said = [(NAMES[each.label], f" {extent(each)}. {strongest(each)}") for each in archive.directions]
    said = [(name[:1].upper() + name[1:], words) for name, words in said]
    more = [("Inside", depth(archive)), ("Over the run", over_checkpoints(archive))]
    return [*READING, *said, *((lead, f" {words}") for lead, words in more if words)]


def attack_method(archive: AttackArchive) -> str:
    """The honesty line: what the numbers rest on."""
    seeds = ", ".join(
        f"{each.right} of {counted(each.seeds, f'{each.label} seed')} judged rightly" for each in archive.directions
    )
    return (
        f"MAP-Elites over derivations of {archive.seeds_from} ({seeds}) · {archive.budget} evaluations, seed "
        f"{archive.seed} · only rules that keep the label, no model writes · failures read again before they "
        f"count · search {archive.key}"
    )


def _limit(archive: AttackArchive) -> float:
    """Nats at which colours end, of all examples: scaled to its own, each would look as sure."""
    return nice_limit(
        word.value for each in archive.directions for example in each.examples for word in example.words
    )


def _examples(direction: Direction, archive: AttackArchive) -> dict[str, Any]:
    name = NAMES[direction.label]
    return {
        "name": name[:1].upper() + name[1:],
        "examples": [_example(example, direction, archive, _limit(archive)) for example in direction.examples],
    }


def _example(example: Example, direction: Direction, archive: AttackArchive, limit: float) -> dict[str, Any]:
    failure = direction.failures[example.failure]
    return {
        "words": [
            {
                "text": word.text,
                "value": signed(word.value),
                "colour": diverging_colour(DEEPEST * word.value / limit),
            }
            for word in example.words
        ],
        "seed": failure.seed,
        "seed_score": signed(failure.seed_score),
        "score": signed(failure.score),
        "how": " + ".join([failure.technique, *failure.rules]),
        "depth": turned_at(failure),
        "fate": fate(failure, archive),
        "gap": percent(example.gap) if example.gap > GAP_BOUND else "",
    }
