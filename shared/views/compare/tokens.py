"""The words of one prompt as two checkpoints see them, in the same colours, and the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared.figures.tokens import RANGE, Scale, words_figure
from shared.figures.word_cells import WordCell, cells_of, change_cells
from shared.findings.badge import badge
from shared.findings.parts import typed_result
from shared.findings.text import escape, percent, signed
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.findings.word_sentences import compared_with, nothing_of_words
from shared.records import Label
from shared.results import ResultRecord
from shared.views import Panel
from shared.views.overview.verdict import capital


class Attributed(NamedTuple):
    """A prompt whose words both checkpoints have attributed."""

    probe_id: str
    text: str
    label: Label


def attributed(there: TokensResult, here: TokensResult) -> list[Attributed]:
    """The prompts of both, matched by id, words and label, in the order of the shown one."""
    known = {(sample.probe_id, sample.text, sample.label) for sample in there.samples}
    found = [Attributed(sample.probe_id, sample.text, sample.label) for sample in here.samples]
    return [each for each in found if each in known]


def token_panels(there: ResultRecord, here: ResultRecord, probe_id: str, names: tuple[str, str]) -> list[Panel]:
    """The prompt here, there, and the change; no change where the words are others (another tokenizer).

    `names` are there, here. Raises SchemaError, KeyError for a prompt that not both have.
    """
    results = typed_result(there, TokensResult), typed_result(here, TokensResult)
    before, now = ({sample.probe_id: sample for sample in each.samples}[probe_id] for each in results)
    doubtful = [
        not each.converged or not result.claimable for each, result in zip((before, now), results, strict=True)
    ]
    panels = [
        _panel("here", names[1], now, cells_of(now), _said(names[1], now, results[1]), _OWN, doubtful[1], here),
        _panel(
            "there",
            names[0],
            before,
            cells_of(before),
            _said(names[0], before, results[0]),
            _OWN,
            doubtful[0],
            there,
        ),
    ]
    cells = change_cells(now, before)
    if cells is not None:
        said = f"Change: {names[1]} less {names[0]}"
        panels.append(_panel("change", "change", now, cells, said, _CHANGE, any(doubtful), here))
    return panels


_OWN = Scale("attribution / |score − baseline score|", "pushes to safe", "pushes to unsafe")
_CHANGE = Scale("change of attribution / shift", "more to safe", "more to unsafe")


def _said(name: str, sample: SampleAttribution, result: TokensResult) -> str:
    right = "right" if sample.verdict == sample.label else "WRONG"
    verdict = f"judged {sample.verdict.upper()} ({right}), score {signed(sample.score)} nats"
    nothing = nothing_of_words(result)
    return (
        f"{capital(name)}: {verdict}" if nothing is None else f"{capital(name)}: {nothing[0].lower()}{nothing[1:]}"
    )


def _panel(
    part: str,
    name: str,
    sample: SampleAttribution,
    cells: Sequence[WordCell],
    said: str,
    scale: Scale,
    doubtful: bool,
    record: ResultRecord,
) -> Panel:
    how = f"baseline {compared_with(sample)}, gap {percent(sample.gap, 1)}"
    subtitle = "more or less of the prompt's shift than there" if part == "change" else how
    flags = [] if sample.converged or part == "change" else ["NOT CONVERGED: do not read single words."]
    strongest = sorted(cells, key=lambda cell: -abs(cell.share))[:3]
    named = ", ".join(f"{cell.word.text} {signed(cell.share)}" for cell in strongest)
    return Panel(
        stem=f"compare_tokens_{part}",
        title=f"Token attribution, {name}",
        figure=words_figure(cells, escape(said, None), escape(subtitle), flags, scale, doubtful=doubtful),
        caption=_CAPTION,
        alt=f"{said}. Strongest words: {named or 'none'}.",
        rows=[{"word": cell.word.text, "special": cell.word.special, "share": cell.share} for cell in cells],
        badge=badge(record, ["this prompt, n = 1", how]),
        claims=False,
    )


_CAPTION = (
    "What it shows: how far each word pushes the verdict, as a share of the distance between the prompt's score "
    "and "
    f"its baseline's, at both checkpoints; last, the difference of these shares. Colours end at ±{RANGE:g} in all "
    "three.\n"
    "How to read: red and + push to unsafe, blue and − to safe. One prompt tells what happened here, and nothing "
    "of the judge: it is a sample of one, without a test.\n"
    "Worrying: weight that moves to template words or punctuation; hatched boxes, which are in doubt."
)
