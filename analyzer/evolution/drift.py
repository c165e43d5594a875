"""Does a judge still look at the same words? Rank correlation of token attributions, prompt by prompt.

Attributions of two checkpoints differ in size as their scores do, so ranks are compared. A token that has exactly 0
at both (special tokens, and words shared with the contrast twin that serves as baseline) has no attribution by
construction: it says nothing, and would only tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.statistics.folds import pairs_or_alone
from analyzer.statistics.intervals import Clusters
from analyzer.statistics.ranks import spearman
from shared.findings.evolution import AttributionDrift
from shared.findings.parts import Interval
from shared.records import Probe

TENSORS = ("attributions", "offsets", "token_ids", "prompts")
"""Of a `tokens` result, as `analyses/tokens.py` describes them."""

Tokens = Mapping[str, np.ndarray]


def correlations(one: Tokens, other: Tokens) -> dict[int, float]:
    """Index in the probe set -> Spearman correlation; a prompt whose tokens differ or are too few is left out."""
    there = _by_prompt(other)
    found = {}
    for prompt, (ids, values) in _by_prompt(one).items():
        if prompt not in there or not np.array_equal(ids, there[prompt][0]):
            continue
        before = there[prompt][1]
        telling = (values != 0) | (before != 0)
        value = spearman(values[telling].tolist(), before[telling].tolist())
        if value is not None:
            found[prompt] = value
    return found


def drift_rows(
    to_previous: Mapping[int, float], to_first: Mapping[int, float], probes: Sequence[Probe]
) -> list[AttributionDrift]:
    """One row for each prompt that has a number, in the order of the probe set."""
    return [
        AttributionDrift(
            probe_id=probes[index].id,
            label=probes[index].label,
            to_previous=to_previous.get(index),
            to_first=to_first.get(index),
        )
        for index in sorted(to_previous.keys() | to_first.keys())
        if index < len(probes)
    ]


def mean_correlation(
    found: Mapping[int, float], probes: Sequence[Probe], bootstraps: int, seed: int
) -> Interval | None:
    """Mean over prompts with its bootstrap interval, contrast pairs as a whole; None without prompts."""
    if not found:
        return None
    units = pairs_or_alone([probes[index] for index in found])
    return Clusters(units, bootstraps, seed).mean(np.array(list(found.values())))


def _by_prompt(tokens: Tokens) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Index in the probe set -> token ids and attributions."""
    offsets = tokens["offsets"]
    return {
        int(prompt): (tokens["token_ids"][begin:end], tokens["attributions"][begin:end])
        for prompt, begin, end in zip(tokens["prompts"], offsets[:-1], offsets[1:], strict=True)
    }
