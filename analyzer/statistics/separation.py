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
    return to_explain(class_signed(scores, unsafe), clusters, unit)


def unit_of(prompts: Sequence[Prompt], groups: np.ndarray) -> Unit:
    """What the independent groups of these prompts are."""
    members: dict[int, list[str | None]] = {}
    for group, prompt in zip(groups.tolist(), prompts, strict=True):
        members.setdefault(group, []).append(prompt.pair)
    if all(len(pairs) == 1 for pairs in members.values()):
        return "prompts"
    twins = all(len(pairs) == 2 and pairs[0] is not None and pairs[0] == pairs[1] for pairs in members.values())
    return "contrast pairs" if twins else "groups of prompts"
