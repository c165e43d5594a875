"""Token attribution: integrated gradients of the score, how exact they are, and how faithful.

1. The display samples and some further probe prompts are attributed (`integrated_gradients`): from the contrast
   twin where one aligns token by token, else from mask tokens (encoders) or from spaces (decoders, whose first
   token stays).
2. Tokens become words by character offsets (`words`).
3. Rankings by attribution, by gradient x input and at random are put to the test (`faithfulness`).

Summary: gap_median, share_converged, shortcut_share, and when a prompt has words comprehensiveness, sufficiency,
comprehensiveness_random.
Tensors: over all attributed prompts, "attributions" and "gradient_x_input" (tokens of all prompts in a row, nats),
"offsets" (n + 1; prompt i has tokens offsets[i]:offsets[i + 1]), "token_ids", "prompts" (n; index into the probe
set), "shifts" (n; score - baseline score, nats).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.attribution.faithfulness import faithfulness, perturbed_scores, rank
from analyzer.attribution.integrated_gradients import (
    BaselinePath,
    attribute,
    counts_for,
    neutral_embedding,
    path_to,
    replaced,
)
from analyzer.attribution.word_statistics import Attributed, cells, shortcuts, top_words
from analyzer.attribution.words import words
from analyzer.model.batches import Encoded, token_names
from analyzer.session.context import Context
from analyzer.session.probe_choice import spread, twin_of
from analyzer.statistics.intervals import Clusters
from shared.errors import CannotCompute
from shared.findings.tokens import Faithfulness, SampleAttribution, TokensResult, Word
from shared.prompts.probes import display_indices
from shared.records import Probe
from shared.settings import Settings

METHODS = ("integrated_gradients", "gradient_x_input", "random")


class TokensSettings(Settings):
    """How tokens are attributed."""

    extra_prompts: int = Field(28, ge=0)
    """Probe prompts attributed beside the display samples, for the numbers over prompts."""
    nodes: tuple[int, ...] = Field((12, 16, 32, 96), min_length=1)
    """Integration nodes tried in turn; only prompts that miss the gap bound go on. The last is the cap."""
    twin_nodes: int = Field(8, ge=1)
    """Nodes of the first try where the baseline is the contrast twin."""
    gap_bound: float = Field(0.05, gt=0)
    """Completeness gap below which an attribution counts as converged."""
    random_rankings: int = Field(2, ge=1)
    """Random rankings a prompt in the faithfulness test."""
    bootstraps: int = Field(1000, ge=100)
    """Bootstrap draws of each interval."""


@computes("tokens", TokensSettings, version=2)
def tokens(context: Context, settings: TokensSettings) -> Outcome:
    """Attribute the display samples and `extra_prompts` further probes."""
    shown = display_indices(context.probes)
    chosen = shown + spread(context.probes, settings.extra_prompts, shown)
    if not chosen:
        raise CannotCompute("The probe set is empty, so there is nothing to attribute; write probes.jsonl first.")
    attributed = _attribute(context, chosen, settings)
    tests = _faithfulness(context, attributed, settings)
    gaps = np.array([one.attribution.gap for one in attributed])
    filler, alarm = shortcuts(attributed)
    result = TokensResult(
        samples=[_sample(one, settings.gap_bound) for one in attributed[: len(shown)]],
        n_prompts=len(attributed),
        gap_bound=settings.gap_bound,
        gap_median=float(np.median(gaps)),
        gap_worst=float(gaps.max()),
        share_converged=float((gaps <= settings.gap_bound).mean()),
        baselines=_baselines(attributed),
        faithfulness=tests,
        top_unsafe=top_words(attributed, sign=1),
        top_safe=top_words(attributed, sign=-1),
        cells=cells(attributed),
        shortcut_share=filler,
        shortcut_alarm=alarm,
    )
    return Outcome(result, _summary(result), _tensors(attributed), _warnings(result))


def _attribute(context: Context, chosen: Sequence[int], settings: TokensSettings) -> list[Attributed]:
    judge, forward = context.judge, context.forward
    neutral = neutral_embedding(judge)
    twins = twin_of(context.probes)
    paths = [
        path_to(judge, forward.encoded[i], forward.encoded[twins[i]] if i in twins else None, neutral)
        for i in chosen
    ]
    baseline_scores = _baseline_scores(context, chosen, paths, neutral[0], twins)
    scores = forward.scores[list(chosen)].astype(float)
    found = attribute(
        judge,
        paths,
        np.column_stack([baseline_scores, scores]),
        [counts_for(path, settings.nodes, settings.twin_nodes) for path in paths],
        settings.gap_bound,
        context.batch_tokens,
        progress=context.progress,
    )
    return [
        Attributed(
            index,
            context.probes[index],
            path,
            float(score),
            float(start),
            attribution,
            words(path.encoded, token_names(judge.tokenizer, path.encoded.ids)),
        )
        for index, path, score, start, attribution in zip(
            chosen, paths, scores, baseline_scores, found, strict=True
        )
    ]


def _baseline_scores(
    context: Context, chosen: Sequence[int], paths: Sequence[BaselinePath], neutral: object, twins: dict[int, int]
) -> np.ndarray:
    """(n,) score of each baseline. A twin's is known; prompts of one layout share one row of "no words"."""
    gone = [frozenset(replaced(context.judge, path.encoded)) for path in paths]
    left = [_layout(path.encoded, words) for path, words in zip(paths, gone, strict=True)]
    layouts: dict[tuple[object, ...], int] = {}
    rows: list[tuple[int, frozenset[int]]] = []
    for place, (path, layout) in enumerate(zip(paths, left, strict=True)):
        if path.baseline != "twin" and layout not in layouts:
            layouts[layout] = len(rows)
            rows.append((place, gone[place]))
    empty = perturbed_scores(
        context.judge,
        [path.encoded for path in paths],
        rows,
        neutral,  # type: ignore[arg-type]
        context.batch_tokens,
    )
    return np.array(
        [
            context.forward.scores[twins[index]] if path.baseline == "twin" else empty[layouts[layout]]
            for index, path, layout in zip(chosen, paths, left, strict=True)
        ],
        dtype=float,
    )


def _layout(encoded: Encoded, gone: frozenset[int]) -> tuple[object, ...]:
    """What is left of a prompt without its words: its other tokens and where they stand.

    Ids also say which token is read and which position it has, so a prompt whose words include the padding id
    (which shifts both) is a layout of its own.
    """
    return tuple(None if place in gone else token for place, token in enumerate(encoded.ids))


def _sample(one: Attributed, bound: float) -> SampleAttribution:
    values = one.of_words(one.attribution.values)
    slopes = one.of_words(one.attribution.gradient_x_input)
    return SampleAttribution(
        probe_id=one.probe.id,
        text=one.probe.text,
        label=one.probe.label,
        category=one.probe.category,
        score=one.score,
        probability=float(np.exp(-np.logaddexp(0.0, -one.score))),
        baseline=one.path.baseline,
        baseline_score=one.baseline_score,
        gap=one.attribution.gap,
        converged=one.attribution.gap <= bound,
        nodes=one.attribution.nodes,
        truncated=one.path.encoded.truncated,
        words=[
            Word(
                text=word.text,
                value=float(value),
                gradient_x_input=float(slope),
                start=word.start,
                end=word.end,
                special=word.special,
            )
            for word, value, slope in zip(one.words, values, slopes, strict=True)
        ],
    )


def _baselines(attributed: Sequence[Attributed]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for one in attributed:
        counts[one.path.baseline] += 1
    return dict(sorted(counts.items()))


def _faithfulness(
    context: Context, attributed: Sequence[Attributed], settings: TokensSettings
) -> list[Faithfulness]:
    """Each method over the prompts that have content tokens; empty when none has."""
    usable = [one for one in attributed if one.path.encoded.content]
    if not usable:
        return []
    rankings, methods = [], []
    for place, one in enumerate(usable):
        random = np.random.default_rng([context.seed, int.from_bytes(one.probe.id.encode()[:8].ljust(8)), 7])
        scored = [
            ("integrated_gradients", one.attribution.values),
            ("gradient_x_input", one.attribution.gradient_x_input),
            *[("random", random.random(len(one.path.encoded.ids))) for _ in range(settings.random_rankings)],
        ]
        for method, values in scored:
            rankings.append(rank(one.path.encoded, values, one.score, place))
            methods.append(method)
    comprehensiveness, sufficiency = faithfulness(
        context.judge,
        [one.path.encoded for one in usable],
        np.array([one.score for one in usable]),
        neutral_embedding(context.judge)[0],
        rankings,
        context.batch_tokens,
        context.progress,
    )
    clusters = Clusters(_units([one.probe for one in usable]), settings.bootstraps, context.seed)
    found = []
    for method in METHODS:
        rows = [i for i, name in enumerate(methods) if name == method]
        shape = (len(usable), -1)  # a random ranking is the mean of several
        found.append(
            Faithfulness(
                method=method,
                comprehensiveness=clusters.mean(comprehensiveness[rows].reshape(shape).mean(1)),
                sufficiency=clusters.mean(sufficiency[rows].reshape(shape).mean(1)),
            )
        )
    return found


def _units(probes: Sequence[Probe]) -> list[str]:
    """What a bootstrap draws: a contrast pair as a whole, else the prompt."""
    return [probe.pair if probe.pair is not None else f"id {probe.id}" for probe in probes]


def _summary(result: TokensResult) -> dict[str, float]:
    summary = {
        "gap_median": result.gap_median,
        "share_converged": result.share_converged,
        "shortcut_share": result.shortcut_share,
    }
    for test in result.faithfulness:
        if test.method == "integrated_gradients":
            summary["comprehensiveness"] = test.comprehensiveness.value
            summary["sufficiency"] = test.sufficiency.value
        if test.method == "random":
            summary["comprehensiveness_random"] = test.comprehensiveness.value
    return summary


def _tensors(attributed: Sequence[Attributed]) -> dict[str, np.ndarray]:
    lengths = [len(one.path.encoded.ids) for one in attributed]
    return {
        "attributions": np.concatenate([one.attribution.values for one in attributed]).astype(np.float32),
        "gradient_x_input": np.concatenate([one.attribution.gradient_x_input for one in attributed]).astype(
            np.float32
        ),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "token_ids": np.concatenate([one.path.encoded.ids for one in attributed]).astype(np.int64),
        "prompts": np.array([one.index for one in attributed], dtype=np.int64),
        "shifts": np.array([one.score - one.baseline_score for one in attributed], dtype=np.float32),
    }


def _warnings(result: TokensResult) -> list[str]:
    missed = round((1 - result.share_converged) * result.n_prompts)
    if not missed:
        return []
    return [
        f"{missed} of {result.n_prompts} attributions miss the completeness gap of {result.gap_bound:.0%} at the "
        "most integration nodes tried; read them with care."
    ]
