"""How large what an analysis explains is, and whether that may be chance (the no-claim gate)."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from analyzer.statistics.intervals import Clusters
from shared.findings.claims import CHANCE, FEWEST_GROUPS, ToExplain, Unit

POWER = 0.8
"""How often the groups that a sentence asks for would tell a size like this from 0."""
REACH = 100
"""Times as many groups as there are, beyond which no number is named."""


def to_explain(values: np.ndarray, clusters: Clusters, unit: Unit, rarer: int | None = None) -> ToExplain:
    """Mean of (n,) class-signed values, nats.

    `rarer`: groups that hold the rarer class. Two unsafe prompts among a hundred safe ones are two, whatever
    Student's t over all of them says.
    """
    size, groups = clusters.mean(values), clusters.count
    if rarer is not None and rarer < min(groups, FEWEST_GROUPS):
        groups, unit = rarer, "groups of the rarer class"
    return ToExplain(
        size=size,
        p_value=clusters.p_value(values),
        groups=groups,
        unit=unit,
        needed=groups_needed(size.value, clusters.error(values), clusters.count),
    )


def groups_needed(value: float, error: float, count: int) -> int | None:
    """Groups at which a mean of this size and spread is told from 0 at `CHANCE` with `POWER` (normal)."""
    if value == 0 or math.isnan(error):
        return None
    wanted = float(ndtri(1 - CHANCE / 2) + ndtri(POWER))
    needed = count * (wanted * error / abs(value)) ** 2
    return math.ceil(needed) if needed <= REACH * count else None
