"""Does the check beside an attribution, a word replaced by eight neutral ones, say what all of its kind would?

Exact replacement is by every neutral word of the word's kind, where that has 16 or more; words are drawn from the
probe set of a MiniLM judge.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from analyzer.attribution.replacement import scores_of, versions
from analyzer.attribution.word_kinds import NeutralWords
from analyzer.attribution.words import words
from analyzer.model.batches import encode, token_names
from analyzer.model.judge import Judge
from shared.records import Probe
from tests.bench import Figure, Size
from tests.bench._judge import trained_judge

DRAWS, KIND = 8, {Size.FULL: 16, Size.TINY: 3}
"""Neutral words of a check, and those that a kind must have so that all of them are something else."""
WORDS = {Size.FULL: 320, Size.TINY: 40}
"""Drawn; 200 of the 320 and more have such a kind."""
TOKENS = 4096


def measure(size: Size = Size.FULL) -> list[Figure]:
    with trained_judge(size) as (judge, probes, _):
        few, all_ = both(judge, probes, WORDS[size], KIND[size])
    rank = float(spearmanr(few, all_).statistic)  # type: ignore[attr-defined]
    note = f"{len(few)} words, {DRAWS} neutral words against all of the kind, mean absolute effect "
    note += f"{np.abs(all_).mean():.2f} nats, mean absolute difference {np.abs(np.subtract(few, all_)).mean():.3f}"
    return [
        Figure(
            name="Spearman of the word check with exact replacement",
            value=rank,
            n=len(few),
            bar=">= 0.95",  # type: ignore[arg-type]
            note=note,
        )
    ]


def both(judge: Judge, probes: list[Probe], count: int, kind: int = 16) -> tuple[list[float], list[float]]:
    """Effects in nats by `DRAWS` neutral words and by all, of those of `count` words whose kind has `kind` or
    more."""
    neutral = NeutralWords(judge, probes)
    encoded = encode(judge.tokenizer, [each.text for each in probes], judge.max_length, judge.template)
    spans = [words(each, token_names(judge.tokenizer, each.ids)) for each in encoded]
    places = [(i, j) for i, some in enumerate(spans) for j, word in enumerate(some) if word.text.isalpha()]
    scores = scores_of(judge, [each.text for each in probes], TOKENS)
    few, all_ = [], []
    for place in np.random.default_rng(0).permutation(len(places))[:count]:
        i, j = places[place]
        found = versions(probes[i].text, spans[i], j, neutral, 1000)
        if len(found.texts) >= kind:
            replaced = scores_of(judge, list(found.texts), TOKENS)
            few.append(float(scores[i] - replaced[:DRAWS].mean()))
            all_.append(float(scores[i] - replaced.mean()))
    return few, all_
