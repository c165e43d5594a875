"""How large what an analysis explains is, and whether that may be chance (the no-claim gate)."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from analyzer.statistics.intervals import Clusters
from shared.findings.claims import CHANCE, ToExplain, Unit

POWER = 0.8
"""How often the groups that a sentence asks for would tell a size like this from 0."""
REACH = 100
"""Times as many groups as there are, beyond which no number is named."""


def to_explain(values: np.ndarray, clusters: Clusters, unit: Unit) -> ToExplain:
    """Mean of (n,) class-signed values, nats."""
    size = clusters.mean(values)
    return ToExplain(
        size=size,
        p_value=clusters.p_value(values),
        groups=clusters.count,
        unit=unit,
        needed=groups_needed(size.value, clusters.error(values), clusters.count),
    )


def separation(scores: np.ndarray, labels: np.ndarray, clusters: Clusters) -> ToExplain:
    """Mean score of unsafe prompts less that of safe ones, nats; scores (n,), labels (n,) in {0, 1}, both present.

    Each prompt stands for the difference and its own distance from its class mean, by the size of its class: the
    mean of all is the difference, and their spread that of both means.
    """
    apart = float(scores[labels == 1].mean() - scores[labels == 0].mean())
    values = np.empty(len(scores))
    for label, sign in ((1, 1), (0, -1)):
        own = labels == label
        values[own] = apart + sign * (scores[own] - scores[own].mean()) * len(scores) / own.sum()
    return to_explain(values, clusters, "prompts" if clusters.count == len(scores) else "groups of prompts")


def groups_needed(value: float, error: float, count: int) -> int | None:
    """Groups at which a mean of this size and spread is told from 0 at `CHANCE` with `POWER` (normal)."""
    if value == 0 or math.isnan(error):
        return None
    wanted = float(ndtri(1 - CHANCE / 2) + ndtri(POWER))
    needed = count * (wanted * error / abs(value)) ** 2
    return math.ceil(needed) if needed <= REACH * count else None
