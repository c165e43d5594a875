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
from shared.findings.attack_sentences import extent, fate, headline
from shared.findings.text import escape, percent, signed
from shared.pages.html import CONFIG, PLOTLY_JS, write_plotly_js
from shared.pages.table import MAX_CSV_ROWS, csv_json, table_of
from shared.pages.templates import SCRIPT, SCRIPT_SHA256, STYLE, fill, script_json
from shared.run import Run
from shared.views.attacked.words import attack_method, attack_paragraphs, attack_subtitle, table_rows

__all__ = [
    "attack_html",
    "attack_method",
    "attack_paragraphs",
    "attack_subtitle",
    "draw_attack",
    "draw_attacks",
    "table_rows",
]

GAP_BOUND = 0.05
"""Completeness gap of an attribution above which it is said beside the words."""
DEEPEST = 0.5
"""Of the colour scale, for the largest word: beyond it dark text is hard to read."""


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
