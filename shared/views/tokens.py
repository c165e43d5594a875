"""Token attribution: which words of a prompt push the verdict towards unsafe, and how far to believe that."""

from __future__ import annotations

from math import tanh
from typing import TYPE_CHECKING, Any

from shared.figures.tokens import MAX_WORDS, RANGE, Scale, words_figure
from shared.figures.word_cells import WordCell, cells_of, change_cells, check_cells
from shared.findings.badge import badge
from shared.findings.parts import interval_cells, typed_result
from shared.findings.text import clean, counted, escape, percent, signed
from shared.findings.tokens import SampleAttribution, TokensResult
from shared.findings.word_checks import near_ties
from shared.findings.word_sentences import (
    agreement_of,
    checked_of,
    compared_with,
    filler_share,
    instead_of,
    nothing_of_words,
    strongest_words,
)
from shared.views import Panel, View, register
from shared.views.over_prompts.words import words_panel

if TYPE_CHECKING:
    from shared.results import ResultRecord


SMALL_SHIFT = 0.5
"""Nats between score and baseline score below which shares of it are said to be exaggerated."""


def panels(record: ResultRecord) -> list[Panel]:
    """The words over all prompts, then one figure a display sample: its words coloured by what they push to."""
    result = typed_result(record, TokensResult)
    return [words_panel(record, result)] + [
        Panel(
            stem=f"sample_{index}_{sample.label}_tokens",
            title=f"Token attribution, sample {index} ({sample.label}), {record.label}",
            figure=words_figure(
                cells_of(sample),
                escape(_title(index, sample, result)),
                escape(_trust(index, sample, result, _stated(record, sample.score)), None),
                flags_of(sample, result),
                SCALE,
                doubtful=not sample.converged or not result.claimable,
                checked=check_cells(sample),
            ),
            caption=_caption(sample, result),
            alt=_alt(index, sample, result),
            rows=_rows(sample),
            badge=badge(record, _facts(sample, result)),
        )
        for index, sample in enumerate(result.samples)
    ]


def change_panels(record: ResultRecord, baseline: ResultRecord) -> list[Panel]:
    """One figure a display sample: the change of each word's normalised attribution since `baseline`.

    A sample that `baseline` does not have, or whose words differ there (another tokenizer), has no figure.
    """
    result, before = typed_result(record, TokensResult), typed_result(baseline, TokensResult)
    earlier = {sample.probe_id: sample for sample in before.samples}
    found = []
    for index, sample in enumerate(result.samples):
        other = earlier.get(sample.probe_id)
        cells = change_cells(sample, other) if other else None
        if other and cells is not None:
            found.append(_change_panel(index, sample, other, cells, (record, baseline), (result, before)))
    return found


def _change_panel(
    index: int,
    sample: SampleAttribution,
    other: SampleAttribution,
    cells: list[WordCell],
    records: tuple[ResultRecord, ResultRecord],
    results: tuple[TokensResult, TokensResult],
) -> Panel:
    record, baseline = records
    since = f"since {baseline.label}"
    flags = [
        f"{when.label}: {flag}"
        for when, each, result in ((record, sample, results[0]), (baseline, other, results[1]))
        for flag in flags_of(each, result)
    ]
    scale = change_scale(baseline)
    subtitle = f"{_outcome(other)} at {baseline.label}, {_outcome(sample)} at {record.label}"
    strongest = sorted(cells, key=lambda cell: -abs(cell.share))[:3]
    named = ", ".join(f'"{clean(cell.word.text, 40)}" {signed(cell.share)}' for cell in strongest)
    return Panel(
        stem=f"sample_{index}_{sample.label}_tokens_change",
        title=f"Change of token attribution, sample {index} ({sample.label}), {record.label} {since}",
        figure=words_figure(
            cells,
            f"Sample {index}: change {since}",
            subtitle,
            flags,
            scale,
            doubtful=not (sample.converged and other.converged),
        ),
        caption=(
            "What it shows: how much more (red) or less (blue) each word pushes to unsafe than at "
            f"{baseline.label}, "
            f"as a share of the prompt's shift. Colours end at ±{RANGE:g} for all samples and epochs.\n"
            "How to read: near-white means unchanged; compare neighbouring epochs before reading a single word.\n"
            "Worrying: strong change on template words or punctuation, or large change late in the training."
        ),
        alt=f"Words of sample {index} by change of attribution {since}. Largest: {named or 'none'}.",
        rows=[
            {"word": cell.word.text, "special": cell.word.special, "change_of_share": cell.share} for cell in cells
        ],
        badge=badge(record, [*_facts(sample, results[0]), f"against {baseline.checkpoint}"]),
    )


def change_scale(baseline: ResultRecord) -> Scale:
    """What the colours of a change since `baseline` mean."""
    return Scale(f"change since {baseline.label} of attribution / shift", "more to safe", "more to unsafe")


SCALE = Scale("attribution / |score − baseline score|", "pushes to safe", "pushes to unsafe")


def _verdict(index: int, sample: SampleAttribution) -> str:
    """Of two classes, the label follows."""
    right = "right" if sample.verdict == sample.label else "WRONG"
    return f"Sample {index}: judged {sample.verdict.upper()} ({right})"


def _title(index: int, sample: SampleAttribution, result: TokensResult) -> str:
    """The verdict; where nothing is to be explained, that."""
    return nothing_of_words(result) or _verdict(index, sample)


def _outcome(sample: SampleAttribution) -> str:
    return f"{sample.verdict} ({signed(sample.score)} nats)"


def _stated(record: ResultRecord, score: float) -> str:
    """The probability of unsafe that the judge states; nothing of one that states none (a reward)."""
    shift = record.judge.get("log_odds_shift", 0.0)
    return "" if shift is None else f", p(unsafe) {0.5 + 0.5 * tanh((score + shift) / 2):.3f}"


def _trust(index: int, sample: SampleAttribution, result: TokensResult, stated: str) -> str:
    verdict = "" if nothing_of_words(result) is None else f"{_verdict(index, sample)} · "
    return (
        f"{verdict}score {signed(sample.score)} nats{stated} · baseline: "
        f"{compared_with(sample)}, score {signed(sample.baseline_score)} nats · gap {percent(sample.gap, 1)} at "
        f"{counted(sample.nodes, 'node')}{'' if verdict else f' · {checked_of(sample)}'}"
    )


def flags_of(sample: SampleAttribution, result: TokensResult) -> list[str]:
    """What a reader must know before looking at a single word."""
    flags = []
    if not sample.converged:
        flags.append(
            f"NOT CONVERGED: gap {percent(sample.gap, 1)} is above {percent(result.gap_bound, 1)}. "
            "Do not read single words."
        )
    distance = abs(sample.score - sample.baseline_score)
    if distance < SMALL_SHIFT:
        flags.append(f"SMALL SHIFT: {distance:.2f} nats from the baseline, so shares look large. Read the nats.")
    if sample.truncated:
        flags.append("TRUNCATED: the prompt is longer than the judge reads.")
    return flags


def _caption(sample: SampleAttribution, result: TokensResult) -> str:
    twin = ""
    if sample.baseline == "twin":
        twin = (
            f" The baseline is the {compared_with(sample)}. Each colour compares the word with the "
            "twin's word in its place, and says nothing of the word alone; a word that both have gets 0."
        )
    alarm = f"\nAlarm: {result.shortcut_alarm}" if result.shortcut_alarm else ""
    more = ""
    if len(sample.words) > MAX_WORDS:
        more = f" Only the first {MAX_WORDS} of {len(sample.words)} words are drawn; the table has all."
    return (
        "What it shows: how far each word pushes the verdict (integrated gradients of the score), as a share "
        "of the "
        f"distance between this prompt's score and its baseline's. Colours end at ±{RANGE:g} for all samples and "
        f"epochs; stronger words look the same, their number stands below them.{twin}{more}\n"
        "How to read: red and + push to unsafe, blue and − push to safe, near-white does nothing. Point at a word "
        "for nats and share. Special tokens are small and outlined in grey. The button changes over to what really "
        "becomes of the score when a word is replaced by neutral words of its kind; grey words were not replaced. "
        "≠ marks a word of which the two say different things (other sign, or more than threefold), ≈ words that "
        "the draws cannot tell apart.\n"
        "Worrying: weight on template words, punctuation or special tokens; the same words on safe and unsafe "
        f"prompts; many ≠; a gap above {percent(result.gap_bound, 1)}. {filler_share(result)}{alarm}"
    )


def _alt(index: int, sample: SampleAttribution, result: TokensResult) -> str:
    nothing = nothing_of_words(result)
    words = f"Strongest words by share of the shift, positive pushes to unsafe: {strongest_words(sample)}."
    return (
        f"Sample {index}, labelled {sample.label}, judged {_outcome(sample)}. "
        f"{f'{words} {checked_of(sample).capitalize()}' if nothing is None else nothing}. Completeness gap "
        f"{percent(sample.gap, 1)}{'' if sample.converged else ', NOT converged'}."
    )


def _facts(sample: SampleAttribution, result: TokensResult) -> list[str]:
    facts = [
        f"this prompt, n = 1 of {result.n_prompts} attributed",
        f"integrated gradients, {counted(sample.nodes, 'node')}",
        f"baseline {compared_with(sample)}",
        f"gap {percent(sample.gap, 1)} (median {percent(result.gap_median, 1)}, worst "
        f"{percent(result.gap_worst, 1)}, "
        f"bound {percent(result.gap_bound, 1)})",
    ]
    facts += [f"Spearman of attribution and replacement, {agreement_of(found)}" for found in result.agreement]
    facts.append(f"{counted(result.check_rows, 'prompt')} with replaced words scored")
    for scored in result.faithfulness:
        drop = scored.comprehensiveness
        name = scored.method.replace("_", " ")
        facts.append(f"comprehensiveness {name} {drop.value:.2f} [{drop.low:.2f}, {drop.high:.2f}]")
    return facts


def _rows(sample: SampleAttribution) -> list[dict[str, Any]]:
    ties = near_ties([word.check for word in sample.words])
    return [
        {
            "word": word.text,
            "special": word.special,
            "attribution_nats": word.value,
            "compared": "" if word.instead_of is None else instead_of(word.instead_of),
            "share_of_shift": word.value / sample.shift,
            **interval_cells("replaced_nats", word.check.effect if word.check else None),
            "replaced_by": f"{word.check.draws} x {word.check.kind}" if word.check else "",
            "disagree": word.disagreement or "",
            "near_tie_with": sample.words[ties[place]].text if place in ties else "",
            "gradient_x_input_nats": word.gradient_x_input,
            "start": word.start,
            "end": word.end,
        }
        for place, word in enumerate(sample.words)
    ]


register(
    View(name="tokens", title="Token attribution", suite="basic", order=10, result=TokensResult, panels=panels)
)
