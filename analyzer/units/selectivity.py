"""How well each neuron tells unsafe prompts from safe ones: AUROC of its reading, beside shuffled labels.

Mann-Whitney's test, Benjamini-Hochberg over all neurons that are not constant. Readings that rounding alone parts
are ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.statistics.folds import shuffled_labels
from analyzer.statistics.significance import q_values, rank_test, shuffled_discoveries
from shared.errors import CannotCompute

if TYPE_CHECKING:
    from analyzer.session.context import Context
    from analyzer.units.effects import Unit


LITTLE = 0.1
"""A decoy's effect by attribution is below this share of the strongest neuron's."""


@dataclass(frozen=True)
class Selectivity:
    """Of all neurons; each (layers, neurons)."""

    auroc: np.ndarray
    q: np.ndarray
    significant: np.ndarray
    tested: int
    shuffled: list[int]
    mean_safe: np.ndarray
    mean_unsafe: np.ndarray
    distance: np.ndarray
    """Of the class means, in standard deviations within the classes."""


def unsafe_labels(context: Context) -> np.ndarray:
    """(n,) 1 for an unsafe probe, 0 for a safe one."""
    return np.array([int(probe.label == "unsafe") for probe in context.probes])


def selectivity_of(context: Context, fdr: float, count_shuffles: int) -> Selectivity:
    """Over all probe prompts. Raises CannotCompute where a class is absent."""
    labels = unsafe_labels(context)
    if not len(labels) or labels.min() == labels.max():
        only = f"only {context.probes[0].label} prompts" if len(labels) else "no prompts"
        raise CannotCompute(
            f"The probe set has {only}, so no neuron can tell safe from unsafe; add prompts of both classes."
        )
    readings = context.readings.values  # (layers, n, neurons)
    layers, count, width = readings.shape
    ranks, tested = (np.concatenate(parts, -1) for parts in zip(*context.readings.ranks(), strict=True))
    auroc, p = rank_test(ranks, labels)
    q = np.ones(layers * width)
    if tested.any():
        q[tested] = q_values(p[tested])
    design = np.zeros(count, dtype=int)  # every other prompt is exchanged with every other
    pairs = [probe.pair for probe in context.probes]
    shuffles = shuffled_labels(labels, design, pairs, count_shuffles, context.seed)
    shape = (layers, width)
    safe, unsafe = readings[:, labels == 0], readings[:, labels == 1]
    return Selectivity(
        auroc=auroc.reshape(shape),
        q=q.reshape(shape),
        significant=(q <= fdr).reshape(shape),
        tested=int(tested.sum()),
        shuffled=shuffled_discoveries(ranks[:, tested], shuffles, fdr) if tested.any() else [],
        mean_safe=safe.mean(1),
        mean_unsafe=unsafe.mean(1),
        distance=(unsafe.mean(1) - safe.mean(1)) / np.maximum(np.sqrt((safe.var(1) + unsafe.var(1)) / 2), 1e-6),
    )


def decoy_candidates(selectivity: Selectivity, effect: np.ndarray, taken: set[Unit], count: int) -> list[Unit]:
    """Significant neurons that may be decoys: the most selective first among those with little effect.

    Equal AUROC is common (1 where the classes part), so the distance of the class means decides next.
    """
    small = np.abs(effect) <= LITTLE * max(float(np.abs(effect).max()), 1e-30)
    away = np.abs(selectivity.auroc - 0.5).round(9)  # 0.3 is as far from 0.5 as 0.7, but for the last bit
    selective = np.where(selectivity.significant & small, away, 0.0)
    order = np.lexsort((-np.abs(selectivity.distance).ravel(), -selective.ravel()))
    units = [(int(i) // effect.shape[1], int(i) % effect.shape[1]) for i in order if selective.ravel()[i] > 0]
    return [unit for unit in units if unit not in taken][:count]
