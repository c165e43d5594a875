"""A data card as sections of words and tables, which the page and the Markdown file both show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.prompts.card import CUTS, LABELS, DataCard

ROWS = 40
"""Values listed of one field; the rest are counted together."""
TITLES = {"train": "training", "val": "validation", "test": "test", "probes": "probe set"}
CHARACTERS = 120
"""Of a value or prompt that is shown."""


class Section(NamedTuple):
    """A heading, sentences below it, and a table where `head` has columns; numbers are ints and floats."""

    heading: str
    sentences: list[str]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str | int | float]] = ()


def sections(card: DataCard) -> list[Section]:
    """In the order of a reader's questions: how many, of what, how long, what is missing, what leaks."""
    return [
        _parts(card),
        *(_cut(card, field) for field in CUTS if set(card.counts[field]) - {""}),
        _lengths(card),
        _left_out(card),
        _leaks(card),
        *([Section("Notes", card.notes)] if card.notes else []),
        _made(card),
    ]


def markdown(card: DataCard) -> str:
    """card.md."""
    return "# Data card\n" + "".join(f"\n{text}\n" for section in sections(card) for text in _blocks(section))


def _parts(card: DataCard) -> Section:
    rows = [
        (TITLES[name], part["count"], part["count"] - part["unsafe"], part["unsafe"])
        for name, part in card.parts.items()
    ]
    train = card.parts["train"]
    share = train["unsafe"] / train["count"]
    sentences = [
        f"{sum(part['count'] for part in card.parts.values()):,} prompts from {', '.join(card.sources)}. "
        f"{100 * share:.0f} % of the {train['count']:,} training prompts are unsafe.",
        f"Contrast pairs: {card.pairs['train']:,} in the training split, {card.pairs['held out']:,} held out.",
    ]
    return Section("Parts", sentences, ("part", "prompts", "safe", "unsafe"), rows)


def _cut(card: DataCard, field: str) -> Section:
    counts = card.counts[field]
    parts = list(card.parts)
    head = (field, *(f"{TITLES[part]}, {label}" for part in parts for label in LABELS))
    values = [[counts[value][part][label] for part in parts for label in LABELS] for value in counts]
    named = [(_short(value) or "(none said)", *cells) for value, cells in zip(counts, values, strict=True)]
    if len(named) > ROWS:
        rest = [sum(column) for column in zip(*values[ROWS:], strict=True)]
        named = [*named[:ROWS], (f"and {len(values) - ROWS} more", *rest)]
    return Section(f"By {field}", [], head, named)


def _lengths(card: DataCard) -> Section:
    head = ("label", "prompts", "shortest", "median", "nine in ten up to", "longest")
    rows = [
        (each.label, each.prompts, each.shortest, each.median, each.ninth_decile, each.longest)
        for each in card.lengths
    ]
    return Section("Length, in words", [], head, rows)


def _left_out(card: DataCard) -> Section:
    if not card.left_out:
        return Section("Left out", ["Nothing was left out."])
    rows = [(each.reason, each.count, each.why, " · ".join(map(_short, each.examples))) for each in card.left_out]
    total = sum(each.count for each in card.left_out)
    return Section(
        "Left out",
        [f"{total:,} prompts were read and are in no part."],
        ("reason", "prompts", "why", "such as"),
        rows,
    )


def _leaks(card: DataCard) -> Section:
    leaks = card.leaks
    exact = leaks.texts + leaks.groups + leaks.pairs
    first = (
        "No text, group or contrast pair is both in the training split and in what is held out."
        if not exact
        else f"In the training split and in what is held out alike: {leaks.texts} texts, {leaks.groups} groups, "
        f"{leaks.pairs} contrast pairs."
    )
    near = (
        f"{leaks.near} held-out prompts share at least 85 % of their words with a training prompt of their label."
    )
    return Section("Leaks", [first, near])


def _made(card: DataCard) -> Section:
    said = [f"{name}: {value}" for name, value in card.settings.items()]
    return Section("How it was made", ["`midwatch prepare` with " + ", ".join(said) + "."])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CHARACTERS else line[: CHARACTERS - 1] + "…"


def _blocks(section: Section) -> Iterator[str]:
    yield f"## {section.heading}"
    yield from map(_escaped, section.sentences)
    if section.head:
        lines = [list(map(str, section.head)), ["---"] * len(section.head)]
        lines += [[_escaped(_cell(cell)) for cell in row] for row in section.rows]
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _escaped(text: str) -> str:
    """Without markup of Markdown or HTML; backticks of our own sentences stay."""
    for mark in "\\|<>*_[]":
        text = text.replace(mark, f"\\{mark}")
    return text
