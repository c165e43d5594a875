"""Prompts with the attribution of their words: from the contrast twin where one aligns, else from no words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.attribution.faithfulness import perturbed_scores
from analyzer.attribution.integrated_gradients import (
    BaselinePath,
    attribute,
    counts_for,
    neutral_embedding,
    path_to,
    replaced,
)
from analyzer.attribution.samples import twin_words
from analyzer.attribution.word_statistics import Attributed
from analyzer.attribution.words import WordSpan, words
from analyzer.model.batches import Encoded, token_names
from analyzer.session.context import Context
from shared.prompts.twins import twin_of


def attributed_prompts(
    context: Context, chosen: Sequence[int], nodes: Sequence[int], gap_bound: float, *, twin_nodes: int
) -> list[Attributed]:
    """The probes at `chosen`, in that order.

    `nodes` are integration nodes tried in turn until the completeness gap is within `gap_bound`; `twin_nodes` those
    of the first try where the baseline is the contrast twin.
    """
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
        [counts_for(path, tuple(nodes), twin_nodes) for path in paths],
        gap_bound,
        context.batch_tokens,
        progress=context.progress,
    )
    spans = {index: _words(context, forward.encoded[index]) for index in chosen}
    return [
        Attributed(
            index,
            context.probes[index],
            path,
            float(score),
            float(start),
            attribution,
            spans[index],
            _instead_of(context, spans[index], path, twins.get(index)),
        )
        for index, path, score, start, attribution in zip(
            chosen, paths, scores, baseline_scores, found, strict=True
        )
    ]


def _words(context: Context, encoded: Encoded) -> list[WordSpan]:
    return words(encoded, token_names(context.judge.tokenizer, encoded.ids))


def _instead_of(
    context: Context, own: Sequence[WordSpan], path: BaselinePath, twin: int | None
) -> tuple[str | None, ...]:
    """Empty unless the twin is the baseline."""
    if path.baseline != "twin" or twin is None:
        return ()
    other = context.forward.encoded[twin]
    return twin_words(own, path.encoded.ids, _words(context, other), other.ids)


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
