"""The strongest edges patched one at a time: whether single edges' scores are what their loss is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.circuits.masks import ranked
from analyzer.statistics.intervals import percentile_interval
from analyzer.statistics.ranks import spearman
from shared.findings.parts import Interval

if TYPE_CHECKING:
    from analyzer.circuits.evaluator import CircuitEvaluator
    from analyzer.circuits.scored import Scored

DRAWS = 200
"""Bootstrap draws of the interval."""


def exact_check(
    evaluator: CircuitEvaluator, found: Scored, count: int, prompts: int
) -> tuple[Interval | None, int]:
    """Rank correlation of the `count` strongest edges' scores with what is lost when each alone is corrupted.

    Both on the first `prompts` prompts that are run; None where it is not defined.
    """
    chosen = [place for place in ranked(found.mean, signed=False)[: count + 1] if found.mean.ndim == 2 or place]
    chosen = chosen[:count]
    if not chosen:
        return None, 0
    at = np.arange(evaluator.references.n)[:prompts]
    masks = np.repeat(np.isfinite(found.mean)[None], len(chosen), 0)
    masks.reshape(len(chosen), -1)[np.arange(len(chosen)), chosen] = False
    sign = evaluator.references.sign[at]
    lost = sign * (evaluator.clean[at] - evaluator.scores(list(masks), at))  # (edges, prompts)
    same = found.scores.of(np.unique(found.parts[evaluator.references.indices[at]]))
    scores = same.mean.ravel()[chosen]
    value = spearman(scores.tolist(), lost.mean(1).tolist())
    if value is None:
        return None, len(chosen)
    taken = evaluator.clusters.weights[:DRAWS, at]
    draws = [spearman(scores.tolist(), (lost @ weights).tolist()) for weights in taken if weights.any()]
    known = np.array([draw for draw in draws if draw is not None])
    return percentile_interval(value, known), len(chosen)
