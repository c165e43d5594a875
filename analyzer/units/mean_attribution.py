"""The prompts that units are ranked and removed on, and every unit's attribution against its mean there.

Both classes in turn over the whole probe set, whether a prompt has an aligned twin or not: a mean needs none.
Neurons and heads share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.patching.mean_effects import mean_effects
from analyzer.session.probe_choice import spread
from analyzer.statistics.separation import class_weights
from analyzer.units.separation import folds_of

if TYPE_CHECKING:
    from analyzer.session.context import Context

FOLDS = 5
"""Neurons are ranked on all of these but one, and removed on that one."""
PROMPTS = 128
"""Prompts at most."""


@dataclass(frozen=True)
class MeanAttribution:
    """Class-signed, nats."""

    indices: list[int]
    """(n,) probe of each prompt."""
    fold: np.ndarray
    """(n,)"""
    heads: np.ndarray
    """(n, layers, heads)"""
    by_fold: np.ndarray
    """(folds, layers, neurons) sums over the prompts of a fold."""
    ablated: np.ndarray
    """(layers, neurons) mean over the first prompts, on which single units are removed."""


def shared_mean_attribution(context: Context, ablated: int) -> MeanAttribution:
    """Made at first use; single units are removed on the first `ablated` prompts."""
    place = ("mean attribution", ablated)
    found: MeanAttribution | None = context.kept.get(place)
    if found is None:
        found = context.kept[place] = _mean_attribution(context, ablated)
    return found


def _mean_attribution(context: Context, ablated: int) -> MeanAttribution:
    indices = spread(context.probes, PROMPTS)
    probes = [context.probes[index] for index in indices]
    fold, count = folds_of(probes, FOLDS), min(ablated, len(indices))
    inside = np.arange(len(indices)) < count
    signs = class_weights(np.array([probe.label == "unsafe" for probe in probes]))
    found = mean_effects(context, indices, signs, 2 * fold + inside, 2 * FOLDS)
    sums = found.neurons.reshape(FOLDS, 2, *found.neurons.shape[1:])
    return MeanAttribution(indices, fold, found.heads, sums.sum(1), sums[:, 1].sum(0) / count)
