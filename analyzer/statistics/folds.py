"""Grouped, stratified folds, and label shuffles that respect them.

Prompts that share a contrast pair or a group (template) are one unit: in a fold as a whole, so that a probe is
never tested on a near copy of what it was fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.prompts.groups import group_numbers
from shared.records import Probe, Prompt


def independent_groups(prompts: Sequence[Prompt]) -> np.ndarray:
    """(n,) unit number of each prompt: connected by a shared pair or a shared group."""
    return np.array(group_numbers(prompts), dtype=int)


def grouped_folds(labels: np.ndarray, unit: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """(n,) fold of each prompt; units stay whole, and each fold gets a like share of both classes.

    Largest units first, units of one size in an order drawn by `seed`, each to the fold where it leaves the counts
    of both classes most even. `labels` (n,) is 1 for unsafe.
    """
    counts = np.zeros((unit.max() + 1, 2))
    np.add.at(counts, (unit, labels.astype(int)), 1)
    filled = np.zeros((folds, 2))
    home = np.zeros(len(counts), dtype=int)
    share = np.maximum(counts.sum(0), 1)
    drawn = np.random.default_rng(seed).permutation(len(counts))
    for index in np.lexsort((drawn, -counts.sum(1))):
        after = [_unevenness(filled, fold, counts[index], share) for fold in range(folds)]
        home[index] = int(np.argmin(after))
        filled[home[index]] += counts[index]
    return home[unit]


def _unevenness(filled: np.ndarray, fold: int, added: np.ndarray, share: np.ndarray) -> float:
    """Sum over classes of the variance over folds of the share of the class, with `added` in `fold`."""
    tried = filled.copy()
    tried[fold] += added
    return float((tried / share).var(0).sum() + 1e-9 * tried[fold].sum())


def shuffled_labels(
    labels: np.ndarray, fold: np.ndarray, pairs: Sequence[str | None], draws: int, seed: int
) -> np.ndarray:
    """(draws, n) labels without a relation to the prompts, in the same design.

    The twins of a contrast pair swap labels or not, by a fair coin, so that a pair stays one safe and one unsafe
    prompt; all other labels are permuted inside their fold, so that each fold keeps its class balance.
    """
    random = np.random.default_rng(seed)
    shuffled = np.tile(labels, (draws, 1))
    members: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        if pair is not None:
            members.setdefault(pair, []).append(index)
    twins = [pair for pair in members.values() if len(pair) == 2 and labels[pair[0]] != labels[pair[1]]]
    single = np.ones(len(labels), dtype=bool)
    if twins:
        first, second = np.array(twins).T
        swap = random.random((draws, len(twins))) < 0.5
        shuffled[:, first] = np.where(swap, labels[second], labels[first])
        shuffled[:, second] = np.where(swap, labels[first], labels[second])
        single[[*first, *second]] = False
    for number in np.unique(fold):
        inside = np.flatnonzero(single & (fold == number))
        shuffled[:, inside] = random.permuted(np.tile(labels[inside], (draws, 1)), axis=1)
    return shuffled


def pairs_or_alone(probes: Sequence[Probe]) -> list[str]:
    """What a bootstrap draws where each prompt is compared with itself: a contrast pair as a whole, or a prompt.

    Such a number tells how a prompt's attribution moved, or its score without some words. Twins are each other's
    baseline, so they go together; two prompts of one template are two such comparisons: templates do not count.
    """
    return [probe.pair or f"id {probe.id}" for probe in probes]
