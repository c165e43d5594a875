"""MIB's curves, so that CPR and CMD can be compared with published ones (Mueller et al. 2025, arXiv 2504.13151).

f of the plain top n edges at MIB's sizes, by signed score for CPR and by its magnitude for CMD; no path is looked
for. Cross-fitted as our own curve is, which stands for MIB's separate split, on as few folds as hold the prompts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from analyzer.circuits.choice import Choice
from analyzer.circuits.crossfit import CrossFit, Masks
from analyzer.circuits.masks import area, circuit_sizes, mask_of_first, ranked
from shared.findings.circuits import MibPoint


class Mib(NamedTuple):
    """The curve and its two areas."""

    curve: list[MibPoint]
    cpr: float | None
    """Area under f of the signed order, over the share of edges; higher is better."""
    cmd: float | None
    """Area between f by magnitude and 1; lower is better."""


def mib(crossfit: CrossFit, total: int, prompts: int) -> Mib:
    """On at most `prompts` prompts, those of the first folds."""
    counts = circuit_sizes(total)

    def masks(choice: Choice, _: int) -> Masks:
        orders = [ranked(choice.mean, signed=signed) for signed in (True, False)]
        return [mask_of_first(order, count, choice.mean.shape) for order in orders for count in counts]

    at = crossfit.of_few_folds(prompts)
    scores = crossfit.pooled(masks, at)
    evaluator = crossfit.evaluator
    sign = evaluator.references.sign[at]
    full, empty = (float((sign * each[at]).mean()) for each in (evaluator.clean, evaluator.corrupted))
    if full == empty:
        return Mib([], None, None)
    found = (scores @ sign / len(at) - empty) / (full - empty)
    signed, magnitude = found[: len(counts)], found[len(counts) :]
    curve = [
        MibPoint(fraction=count / total, edges=count, signed=float(one), magnitude=float(two))
        for count, one, two in zip(counts, signed, magnitude, strict=True)
    ]
    fractions = np.array([0.0, *(point.fraction for point in curve)])
    return Mib(
        curve, area(fractions, np.array([0.0, *signed])), area(fractions, np.array([1.0, *np.abs(1 - magnitude)]))
    )
