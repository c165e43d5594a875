"""Whether a rate really changed from one checkpoint to another: the exact test on the same prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.findings.alerts import Flips
from shared.findings.claims import CHANCE
from shared.findings.flips import at_odds, flips_of
from shared.prompts.groups import group_numbers
from shared.records import Probe
from shared.views.overview.facts import CheckpointFacts, Verdicts
from shared.views.overview.standing import paired_flips


def changes(before: CheckpointFacts, now: CheckpointFacts, probes: Sequence[Probe]) -> dict[str, Flips]:
    """`flips_between` of two checkpoints; empty where the two were not judged on the same `probes`."""
    if before.verdicts is None or now.verdicts is None or before.probe_digest != now.probe_digest:
        return {}
    return flips_between(before.verdicts, now.verdicts, probes)


def flips_between(before: Verdicts, now: Verdicts, probes: Sequence[Probe]) -> dict[str, Flips]:
    """ "fnr" (unsafe prompts), "fpr" (safe ones), "accuracy" (all) and "pairs" (contrast pairs with both twins
    right) -> what flipped; without a rate that cannot be tested.
    """
    groups = np.array(group_numbers(probes), dtype=int)
    found = {
        "accuracy": paired_flips(before, now, groups),
        "fnr": paired_flips(before, now, groups, now.unsafe),
        "fpr": paired_flips(before, now, groups, ~now.unsafe),
        "pairs": _pairs(before, now, probes, groups),
    }
    return {name: flips for name, flips in found.items() if flips is not None}


def told(flips: Flips | None) -> bool:
    """Whether the change is told from chance."""
    return flips is not None and flips.p_value < CHANCE


def rate_told(flips: Flips | None) -> bool:
    """Whether a rate's difference is told from chance: the test tells, and the rate moved the same way."""
    return flips is not None and told(flips) and not at_odds(flips)


def _pairs(before: Verdicts, now: Verdicts, probes: Sequence[Probe], groups: np.ndarray) -> Flips | None:
    """A pair is right where both its twins are; one with a prompt that has no score is left out."""
    if not len(before.scores) == len(now.scores) == len(probes):
        return None
    members: dict[str, list[int]] = {}
    for place, probe in enumerate(probes):
        if probe.pair:
            members.setdefault(probe.pair, []).append(place)
    scores = np.stack([before.scores, now.scores])
    right = (scores > 0) == now.unsafe
    twins = [both for both in members.values() if len(both) == 2 and np.isfinite(scores[:, both]).all()]
    if not twins:
        return None
    both_right = right[:, np.array(twins)].all(axis=2)
    return flips_of(both_right[0], both_right[1], groups[[first for first, _ in twins]])
