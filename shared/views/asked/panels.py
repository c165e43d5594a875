"""The figures of an answer: the score over the checkpoints that were asked, then the prompt at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.figures.asked.attention import attention_figure
from shared.figures.asked.deleted import deleted_figure
from shared.figures.asked.scores import scores_figure
from shared.figures.layers import layers_figure
from shared.figures.tokens import words_figure
from shared.figures.word_cells import cells_of, check_cells
from shared.findings.asked_sentences import deleted_words, verdict_words, word_list
from shared.findings.badge import badge
from shared.findings.layers import LayersResult
from shared.findings.parts import interval_cells, layer_names
from shared.findings.text import clean, counted, escape, percent, signed
from shared.findings.word_sentences import checked_of, compared_with
from shared.views import Panel
from shared.views.asked.moments import QUANTILES, Moment, over_run
from shared.views.tokens import SCALE

if TYPE_CHECKING:
    from shared.findings.asked import AskedResult
    from shared.findings.tokens import SampleAttribution
    from shared.results import ResultRecord

SHOWN = 90
"""Characters of the prompt below a headline."""
HOW = "this prompt, n = 1; nobody said which verdict is right"


def scores_panel(moments: Sequence[Moment], record: ResultRecord, text: str) -> Panel:
    """The score at every checkpoint that answered, by step, over the probes' there; `record` is the one shown."""
    said = over_run(moments)
    last = next((moment for moment in moments if moment.label == record.label), moments[-1])
    beside = f"beside {counted(last.n_safe, 'safe probe')} and {counted(last.n_unsafe, 'unsafe probe')}"
    return Panel(
        stem="asked_scores",
        title="Score of the asked prompt by checkpoint",
        figure=scores_figure(moments, escape(said, None), escape(clean(text, SHOWN)), record.label),
        caption=(
            "What it shows: the score of this prompt at each checkpoint that was asked, in front of the scores of "
            "the probe set there: half of the probes of a class lie in the box, 9 in 10 in the pale bar.\n"
            "How to read: above 0 is judged unsafe. Where the boxes overlap, the judge cannot tell the classes "
            "apart, and its verdict on this prompt says little.\n"
            "Worrying: a verdict that turns from one checkpoint to the next; a prompt on the other class's side."
        ),
        alt=f"{said}. {record.label}: {signed(last.score)} nats, {beside}.",
        rows=[_moment_row(moment) for moment in moments],
        badge=badge(record, [HOW, beside]),
        claims=False,
    )


def _moment_row(moment: Moment) -> dict[str, Any]:
    row: dict[str, Any] = {"checkpoint": moment.label, "step": moment.step, "score_nats": moment.score}
    row |= {"twin_score_nats": moment.twin, "safe_probes": moment.n_safe, "unsafe_probes": moment.n_unsafe}
    for name, values in (("safe", moment.safe), ("unsafe", moment.unsafe)):
        row |= {f"{name}_q{round(100 * q):02d}": value for q, value in zip(QUANTILES, values, strict=False)}
    return row


def words_flags(sample: SampleAttribution) -> list[str]:
    """What a reader must know before looking at a single word."""
    flags = [] if sample.converged else [f"NOT CONVERGED: gap {percent(sample.gap, 1)}. Do not read single words."]
    return [*flags, "TRUNCATED: the prompt is longer than the judge reads."] if sample.truncated else flags


def words_panel(record: ResultRecord, sample: SampleAttribution) -> Panel:
    """The prompt's words by what they push to; a button changes over to what replacing each really does."""
    headline = f"{record.label}: judged {sample.verdict.upper()}, score {signed(sample.score)} nats"
    under = f"baseline: {compared_with(sample)}, gap {percent(sample.gap, 1)} · {checked_of(sample)}"
    return Panel(
        stem="asked_words",
        title=f"Words of the asked prompt, {record.label}",
        figure=words_figure(
            cells_of(sample), escape(headline), escape(under, None), words_flags(sample), SCALE,
            doubtful=not sample.converged, checked=check_cells(sample),
        ),
        caption=(
            "What it shows: how far each word pushes the verdict (integrated gradients), as a share of the "
            "distance between this prompt's score and its baseline's. The button shows what really becomes of the "
            "score when neutral words of its kind take a word's place.\n"
            "How to read: red and + push to unsafe, blue and − to safe. ≠ marks words of which the two disagree: "
            "believe the replacement. Click a word to delete or replace it.\n"
            "Worrying: weight on words that say nothing of what is asked; many ≠; a large gap."
        ),
        alt=f"{headline}. {word_list(sample)}.",
        rows=[
            {"word": word.text, "special": word.special, "attribution_nats": word.value, "start": word.start,
             "end": word.end, **interval_cells("replaced_nats", word.check.effect if word.check else None)}
            for word in sample.words
        ],
        badge=badge(record, [HOW, f"integrated gradients, {counted(sample.nodes, 'node')}"]),
        claims=False,
    )  # fmt: skip


def prompt_panels(record: ResultRecord, found: AskedResult, layers: LayersResult | None) -> list[Panel]:
    """Words deleted, layers, and heads, as far as the answer has them. `layers` is the probe set's result at this
    checkpoint, for the bands behind the prompt."""
    panels = []
    if found.deleted:
        panels.append(_deleted_panel(record, found))
    if found.layers is not None:
        panels.append(_layers_panel(record, found, layers))
    if found.attention is not None:
        panels.append(_attention_panel(record, found))
    return panels


def _deleted_panel(record: ResultRecord, found: AskedResult) -> Panel:
    said = f"{record.label}: {deleted_words(found)}"
    score = found.prompt.score
    return Panel(
        stem="asked_deleted",
        title=f"Each word deleted, {record.label}",
        figure=deleted_figure(found.deleted, score, escape(said, None), escape(verdict_words(found))),
        caption=(
            "What it shows: the score of the text without each word, really scored, from the whole prompt's.\n"
            "How to read: a long stem is a word that the verdict hangs on. A text without a word may read oddly, "
            "so compare with what replacing it does.\n"
            "Worrying: a verdict that turns without a word that says nothing of what is asked."
        ),
        alt=f"{said}.",
        rows=[
            {"word": each.old, "score_without_nats": each.score, "change_nats": each.score - score}
            for each in found.deleted
        ],
        badge=badge(record, [HOW, counted(len(found.deleted), "word") + " deleted, one at a time"]),
        claims=False,
    )


def _layers_panel(record: ResultRecord, found: AskedResult, known: LayersResult | None) -> Panel:
    sample = found.layers
    assert sample is not None  # noqa: S101 (the caller's condition)
    count = len(sample.residual_norm) - 1
    result = _with_sample(found, known if known is not None and known.layers == count else None, count)
    said = f"{record.label}: judged {found.prompt.verdict.upper()}, score {signed(sample.score)} nats"
    beside = ", ".join(f"{band.count} {band.label}" for band in result.bands)
    return Panel(
        stem="asked_layers",
        title=f"Layers, {record.label}",
        figure=layers_figure(sample, result, escape(said), escape(clean(sample.text, SHOWN))),
        caption=(
            "What it shows: the score that the judge's own head would give if it stopped after each layer"
            + (", in front of the mean of each class of the probe set" if result.bands else "")
            + "; how long the residual stream grows; what attention and MLP add.\n"
            "How to read: where the line leaves 0, the verdict forms. The head was trained for the last layer, so "
            "early ones can mislead.\n"
            "Worrying: a verdict that turns in one layer only."
        ),
        alt=f"{said}. Read early: {', '.join(signed(value, 1) for value in sample.lens or [])}.",
        rows=[
            {"layer": name, "lens_nats": sample.lens[point] if sample.lens else None,
             "residual_norm": sample.residual_norm[point]}
            for point, name in enumerate(layer_names(count))
        ],
        badge=badge(record, [HOW, f"bands over {beside} probes" if beside else "no bands: layers not analysed"]),
        claims=False,
    )  # fmt: skip


def _with_sample(found: AskedResult, known: LayersResult | None, count: int) -> LayersResult:
    """What the figure reads: this prompt alone, over the bands of the probe set where they are known."""
    samples = [found.layers] if found.layers is not None else []
    if known is not None:
        return known.model_copy(update={"samples": samples})
    boundary = found.frozen_boundary
    return LayersResult(
        to_explain=None, layers=count, frozen_boundary=boundary, frozen_from="declared" if boundary else "unknown",
        embeddings_frozen=None, pooling="", norm_position="unknown", samples=samples, bands=[], notes=[],
    )  # fmt: skip


def _attention_panel(record: ResultRecord, found: AskedResult) -> Panel:
    attention = found.attention
    assert attention is not None  # noqa: S101 (the caller's condition)
    read = all(head.read is not None for head in attention.heads)
    many = counted(len(attention.heads), "head")
    said = f"{record.label}: what the {many} that matter {'attend' if len(attention.heads) > 1 else 'attends'} to"
    if len(attention.heads) == 1:
        said = f"{record.label}: what the head that matters attends to"
    whence = "from where the verdict is read" if read else "on average over all tokens"
    names = ", ".join(
        f"L{head.layer}.H{head.head} most to {_most(attention.tokens, head)}" for head in attention.heads
    )
    return Panel(
        stem="asked_attention",
        title=f"Attention, {record.label}",
        figure=attention_figure(attention, escape(said), f"attention {whence}, a row a head"),
        caption=(
            f"What it shows: how much attention each head pays to each token, {whence}. The heads are those that "
            "the analysis of heads found to matter over the probe set, the strongest first.\n"
            "How to read: attention says where a head looks, not what it does with it. Attention that rests on the "
            "first token is a head with nothing to do here.\n"
            "Worrying: heads that look at what says nothing of what is asked."
        ),
        alt=f"{said}: {names}.",
        rows=[
            {"head": f"L{head.layer}.H{head.head}", "effect_nats": head.effect, "token": token,
             "attention": None if head.read is None else head.read[place], "received": head.received[place]}
            for head in attention.heads
            for place, token in enumerate(attention.tokens)
        ],
        badge=badge(record, [HOW, f"{many}, as the analysis heads named them"]),
        claims=False,
    )  # fmt: skip


def _most(tokens: Sequence[str], head: Any) -> str:
    weights = head.read or head.received
    return f'"{clean(tokens[max(range(len(weights)), key=weights.__getitem__)], 20)}"' if weights else "nothing"
