"""The words of a prompt as a figure draws them: colour, hover, mark; by attribution, by replacement, by change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.findings.text import escape, signed
from shared.findings.word_checks import near_ties
from shared.findings.word_sentences import disagrees, instead_of, replaced_by

if TYPE_CHECKING:
    from shared.findings.tokens import SampleAttribution, Word


@dataclass(frozen=True)
class WordCell:
    """One word as drawn."""

    word: Word
    share: float
    """What the colour shows: attribution / shift, or its change."""
    hover: str
    """Lines below the word in the hover, escaped."""
    mark: str = ""
    """What stands below the box behind its number, e.g. "instead of 'hide'"; not escaped."""
    known: bool = True
    """False where nothing was measured: grey, without a number."""


def cells_of(sample: SampleAttribution) -> list[WordCell]:
    """The sample's words with their normalised attribution."""
    ties = near_ties([word.check for word in sample.words])
    found = []
    for place, word in enumerate(sample.words):
        compared = "" if word.instead_of is None else instead_of(word.instead_of)
        lines = [f"{signed(word.value, 3)} nats, {signed(100 * word.value / sample.shift, 1)} % of the shift"]
        lines += [escape(compared)] if compared else []
        lines += [f"gradient x input: {signed(word.gradient_x_input, 3)} nats", *_check_lines(sample, place, ties)]
        mark = f"{compared}{' ≠' if word.disagreement else ''}".strip()
        found.append(WordCell(word, word.value / sample.shift, "<br>".join(lines), mark))
    return found


def check_cells(sample: SampleAttribution) -> list[WordCell]:
    """The same words with what replacing each does to the score, on the same scale; empty without checks."""
    checks = [word.check for word in sample.words]
    ties = near_ties(checks)
    if not any(checks):
        return []
    found = []
    for place, (word, check) in enumerate(zip(sample.words, checks, strict=True)):
        if check is None:
            found.append(WordCell(word, 0.0, "not replaced", known=False))
            continue
        lines = [*_check_lines(sample, place, ties), f"attribution: {signed(word.value, 3)} nats"]
        mark = f"{'≠' if word.disagreement else ''}{'≈' if place in ties or place in ties.values() else ''}"
        found.append(WordCell(word, check.effect.value / sample.shift, "<br>".join(lines), mark))
    return found


def _check_lines(sample: SampleAttribution, place: int, ties: dict[int, int]) -> list[str]:
    """What the hover says of a word's check, escaped."""
    word = sample.words[place]
    if word.check is None:
        return []
    lines = [escape(replaced_by(word.check))]
    lines += [f"<b>{said}</b>" for said in [disagrees(word)] if said]
    if place in ties:
        lines.append(escape(f"≈ near tie with {sample.words[ties[place]].text}"))
    return lines


def change_cells(sample: SampleAttribution, baseline: SampleAttribution) -> list[WordCell] | None:
    """The change of each normalised attribution since `baseline`; None when the words are not the same."""
    if [word.text for word in sample.words] != [word.text for word in baseline.words]:
        return None
    cells = []
    for word, earlier in zip(sample.words, baseline.words, strict=True):
        now, then = word.value / sample.shift, earlier.value / baseline.shift
        compared = "" if word.instead_of is None else f"<br>{escape(instead_of(word.instead_of))}"
        hover = f"{signed(100 * then, 1)} % then, {signed(100 * now, 1)} % now, of the shift{compared}"
        cells.append(WordCell(word, now - then, hover))
    return cells


def share_beyond(cells: Sequence[WordCell], first: int) -> float:
    """Share of the summed |attribution| on words beyond the `first`."""
    total = sum(abs(cell.share) for cell in cells)
    return sum(abs(cell.share) for cell in cells[first:]) / total if total else 0.0
