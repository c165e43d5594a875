"""What is published of one attributed prompt: its words, what each was compared with, and its check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.attribution.word_statistics import Attributed
from analyzer.attribution.words import WordSpan
from shared.findings.tokens import SampleAttribution, Word
from shared.findings.word_checks import WordCheck


def twin_words(
    own: Sequence[WordSpan], own_ids: Sequence[int], twin: Sequence[WordSpan], twin_ids: Sequence[int]
) -> tuple[str | None, ...]:
    """For each word of a prompt the twin's word in its place; None where the tokens are the same.

    The two align token by token, so a word's place is that of its tokens.
    """
    by_token = {token: word for word in twin for token in word.tokens}
    found: list[str | None] = []
    for word in own:
        same = all(own_ids[token] == twin_ids[token] for token in word.tokens)
        there = dict.fromkeys(by_token[token].text for token in word.tokens if token in by_token)
        found.append(None if same or word.special else " ".join(there))
    return tuple(found)


def sample(one: Attributed, bound: float, checks: Mapping[int, WordCheck]) -> SampleAttribution:
    """`checks` by place of the word; `bound` of the gap."""
    values = one.of_words(one.attribution.values)
    slopes = one.of_words(one.attribution.gradient_x_input)
    instead = one.instead_of or (None,) * len(one.words)
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
                instead_of=other,
                check=checks.get(place),
            )
            for place, (word, value, slope, other) in enumerate(
                zip(one.words, values, slopes, instead, strict=True)
            )
        ],
    )
