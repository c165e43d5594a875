"""The data card as a page: words and tables only, every word from data escaped."""

from __future__ import annotations

from shared.pages.table import Cell
from shared.pages.templates import STYLE, fill
from shared.prompts.card import DataCard
from shared.prompts.card_words import Section, sections


def card_html(card: DataCard) -> str:
    """card.html, for any folder: it needs no other file."""
    return fill("data_card.html", sections=[_shown(section) for section in sections(card)], style=STYLE)


def _shown(section: Section) -> tuple[str, list[str], list[str], list[list[Cell]]]:
    rows = [[_cell(value) for value in row] for row in section.rows]
    return section.heading, section.sentences, list(section.head), rows


def _cell(value: str | float) -> Cell:
    if isinstance(value, str):
        return Cell(value, True)
    return Cell(f"{value:,}" if isinstance(value, int) else f"{value:,.1f}", False)
