"""What the words of each display prompt look like: numbers and plain text for words.js."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.figures.tokens import MAX_WORDS, RANGE, marks_of
from shared.figures.word_cells import WordCell, cells_of, change_cells, check_cells, share_beyond
from shared.findings.parts import typed_result
from shared.findings.text import clean, percent
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.results import ResultRecord
from shared.views.tokens import flags_of

GRADIENT = "gradient x input"
"""A line that the table has and the hover here has not."""
LABEL = 40
"""Characters of a word that show; the whole word stands in what pointing at it says."""


@dataclass(frozen=True)
class WordPicture:
    """One prompt, ready to be drawn."""

    stem: str
    """Of the panel that it belongs to."""
    count: int
    """Words that show."""
    data: dict[str, Any]
    """For words.js; every text in it is set as text there."""


def pictures(record: ResultRecord) -> dict[str, WordPicture]:
    """By the panel's stem: each prompt's attribution and, where words were replaced, what that does."""
    result = typed_result(record, TokensResult)
    found = {}
    for index, sample in enumerate(result.samples):
        ways = {"attribution": cells_of(sample), "replaced by neutral words": check_cells(sample)}
        doubtful = not sample.converged or not result.claimable
        stem = f"sample_{index}_{sample.label}_tokens"
        found[stem] = _picture(stem, ways, flags_of(sample, result), doubtful)
    return found


def changes(record: ResultRecord, baseline: ResultRecord) -> dict[str, WordPicture]:
    """The same of the change since `baseline`, of the prompts that both have."""
    result, before = typed_result(record, TokensResult), typed_result(baseline, TokensResult)
    earlier = {sample.probe_id: sample for sample in before.samples}
    found = {}
    for index, sample in enumerate(result.samples):
        other = earlier.get(sample.probe_id)
        cells = change_cells(sample, other) if other is not None else None
        if other is None or cells is None:
            continue
        flags = [*flags_of(sample, result), *(f"{baseline.label}: {flag}" for flag in flags_of(other, before))]
        stem = f"sample_{index}_{sample.label}_tokens_change"
        doubtful = not (sample.converged and other.converged)
        found[stem] = _picture(stem, {"change": cells}, flags, doubtful)
    return found


def asked_picture(sample: SampleAttribution, flags: Sequence[str]) -> WordPicture:
    """Of a prompt that somebody asked."""
    ways = {"attribution": cells_of(sample), "replaced by neutral words": check_cells(sample)}
    return _picture("asked_words", ways, flags, not sample.converged)


def _picture(stem: str, ways: dict[str, list[WordCell]], flags: Sequence[str], doubtful: bool) -> WordPicture:
    drawn = [{"name": name, "words": _words(cells)} for name, cells in ways.items() if cells]
    first = next(iter(ways.values()))
    hidden = ""
    if len(first) > MAX_WORDS:
        share = percent(share_beyond(first, MAX_WORDS))
        hidden = f"First {MAX_WORDS} words; the other {len(first) - MAX_WORDS} hold {share} of the attribution."
    data = {
        "stem": stem,
        "flags": list(flags),
        "doubtful": doubtful,
        "hidden": hidden,
        "ways": drawn or [{"name": "no words", "words": []}],
    }
    return WordPicture(stem, min(len(first), MAX_WORDS), data)


def _words(cells: Sequence[WordCell]) -> list[dict[str, Any]]:
    """What is as usual (no mark, the whole word shown, measured, not special) is left out: this goes to the browser
    with every move of the slider."""
    shown = cells[:MAX_WORDS]
    return [_word(cell, clean(mark, LABEL)) for cell, mark in zip(shown, marks_of(shown), strict=True)]


def _word(cell: WordCell, mark: str) -> dict[str, Any]:
    text, full = clean(cell.word.text, LABEL) or "·", clean(cell.word.text)
    word: dict[str, Any] = {"text": text, "value": round(max(-1.0, min(1.0, cell.share / RANGE)), 3)}
    word["hover"] = "\n".join(line for line in as_text(cell.hover).split("\n") if not line.startswith(GRADIENT))
    more = {
        "mark": mark,
        "full": full if full != text else "",
        "special": cell.word.special,
        "unknown": not cell.known,
    }
    return word | {name: value for name, value in more.items() if value}


def as_text(markup: str) -> str:
    """A hover's markup, which is ours, as plain lines."""
    return html.unescape(re.sub("</?b>", "", markup).replace("<br>", "\n"))


def sample_of(result: TokensResult, stem: str) -> SampleAttribution | None:
    """The prompt whose panel is called `stem`."""
    found = re.match(r"sample_(\d+)_", stem)
    return result.samples[int(found[1])] if found and int(found[1]) < len(result.samples) else None
