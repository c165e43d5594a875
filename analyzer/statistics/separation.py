"""What a judge's separation is, as one value a prompt, so that intervals over groups of prompts follow.

m = (mean score of unsafe prompts - mean score of safe ones) / 2, nats: how far a prompt lies, on average, on its
label's side of the middle between the classes. A score that all prompts share adds nothing, whatever the sizes of
the classes. With contrast twins it is the mean of the scores with their class's sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.to_explain import to_explain
from shared.findings.claims import ToExplain, Unit
from shared.findings.parts import Interval
from shared.records import Prompt


def class_weights(unsafe: np.ndarray) -> np.ndarray:
    """(n,) bool -> (n,): +1 for an unsafe prompt and -1 for a safe one, weighed so that both classes count
    alike."""
    count = np.where(unsafe, unsafe.sum(), (~unsafe).sum())
    return np.where(unsafe, 1.0, -1.0) * len(unsafe) / (2.0 * count)


def class_signed(scores: np.ndarray, unsafe: np.ndarray) -> np.ndarray:
    """(..., n) scores -> (..., n) whose mean is the separation; both classes must be there."""
    middle = (scores[..., unsafe].mean(-1) + scores[..., ~unsafe].mean(-1)) / 2
    return class_weights(unsafe) * (scores - middle[..., None])


def separation(
    scores: np.ndarray, unsafe: np.ndarray, clusters: Clusters, unit: Unit = "groups of prompts"
) -> ToExplain:
    """Of (n,) scores; `unsafe` (n,) boolean. Nothing, from no group, where there is one class only."""
    if unsafe.all() or not unsafe.any():
        none = Interval(value=0, low=0, high=0)
        return ToExplain(size=none, p_value=1, groups=0, unit=unit, needed=None)
    return to_explain(class_signed(scores, unsafe), clusters, unit, clusters.rarer(unsafe))


def unit_of(prompts: Sequence[Prompt], groups: np.ndarray) -> Unit:
    """What the independent groups of these prompts are."""
    members: dict[int, list[Prompt]] = {}
    for group, prompt in zip(groups.tolist(), prompts, strict=True):
        members.setdefault(group, []).append(prompt)
    if all(len(group) == 1 for group in members.values()):
        return "prompts"
    return "contrast pairs" if all(_are_twins(group) for group in members.values()) else "groups of prompts"


def _are_twins(group: Sequence[Prompt]) -> bool:
    """One safe and one unsafe prompt of one pair."""
    return len(group) == 2 and group[0].pair == group[1].pair is not None and group[0].label != group[1].label
