"""Failures as the judge's inside shows them: where the verdict goes wrong, and by which words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.attack.scorer import read_by
from analyzer.attribution.faithfulness import perturbed_scores
from analyzer.attribution.integrated_gradients import attribute, counts_for, neutral_embedding, path_to, replaced
from analyzer.attribution.words import words
from analyzer.model.batches import Encoded, token_names
from analyzer.model.hooked_pass import ForwardPass, record
from analyzer.model.judge import Judge
from shared.findings.attack import Example, Failure, WordShare

NODES = (16, 48)
"""Integration nodes tried in turn."""
GAP_BOUND = 0.05
EXAMPLES = 12
"""Failures of a direction that are attributed."""


def read_through(judge: Judge, texts: Sequence[str], batch_tokens: int) -> ForwardPass:
    """One hooked pass: scores, and where the head is known the score read early at each layer."""
    return record(judge, judge.encode(read_by(judge, texts)), batch_tokens)


def chosen(failures: Sequence[Failure]) -> list[int]:
    """Places of the failures that are shown: the surest of each technique in turn, each seed once."""
    order, seeds = [], set()
    waiting = {technique: [] for technique in dict.fromkeys(failure.technique for failure in failures)}
    for place, failure in enumerate(failures):
        waiting[failure.technique].append(place)
    while any(waiting.values()) and len(order) < EXAMPLES:
        for places in waiting.values():
            place = next((each for each in places if failures[each].seed not in seeds), None)
            places[:] = places[places.index(place) + 1 :] if place is not None else []
            if place is not None and len(order) < EXAMPLES:
                order.append(place)
                seeds.add(failures[place].seed)
    return order


def examples(judge: Judge, failures: Sequence[Failure], batch_tokens: int) -> list[Example]:
    """The chosen failures with what each word adds to the score (integrated gradients from "no words")."""
    places = chosen(failures)
    if not places:
        return []
    encoded = judge.encode(read_by(judge, [failures[place].text for place in places]))
    neutral = neutral_embedding(judge)
    paths = [path_to(judge, one, None, neutral) for one in encoded]
    gone = [(row, frozenset(replaced(judge, one))) for row, one in enumerate(encoded)]
    starts = perturbed_scores(judge, encoded, gone, neutral[0], batch_tokens)
    ends = np.column_stack([starts, [failures[place].score for place in places]])
    counts = [counts_for(path, NODES, NODES[0]) for path in paths]
    found = attribute(judge, paths, ends, counts, GAP_BOUND, batch_tokens)
    return [
        Example(failure=place, gap=one.gap, words=_words(judge, text, one.values))
        for place, text, one in zip(places, encoded, found, strict=True)
    ]


def _words(judge: Judge, encoded: Encoded, values: np.ndarray) -> list[WordShare]:
    """Each word with what stands between it and the one before."""
    spans = [span for span in words(encoded, token_names(judge.tokenizer, encoded.ids)) if not span.special]
    starts = [0, *(span.end for span in spans)]
    return [
        WordShare(text=encoded.text[start : span.end], value=float(values[list(span.tokens)].sum()))
        for start, span in zip(starts, spans, strict=False)
    ]
