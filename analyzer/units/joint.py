"""Heads removed together, chosen on one half of the prompts and measured on the other, beside random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.units.backward import KEPT, redundant
from analyzer.units.effects import Unit, random_like
from analyzer.units.head_choice import HeadChoice
from analyzer.units.removal import Removal
from shared.findings.claims import carries
from shared.findings.units import JointAblation, UnitAblation

HALVES = 2
LARGE = 0.5
"""Share of the joint loss from which on a head that loses it alone is named, whether the set needs it or not."""


def joint_removal(
    removal: Removal,
    half: np.ndarray,
    choices: Sequence[HeadChoice],
    alone: Mapping[Unit, UnitAblation],
    shape: tuple[int, int],
    draws: int,
    seed: int,
) -> JointAblation | None:
    """What the needed heads lose together; None where neither half named any.

    `half` (n,) is 0 or 1, `choices` were made on each, `alone` says what the heads shown lose alone.
    Where heads that both halves chose lose nearly all of it, these are what is named, removed, and tested for
    standing in for each other.
    """
    sets = [choice.needed for choice in choices]
    if not all(sets):
        return None
    (scores,) = _crossed(removal, half, [[chosen] for chosen in sets])
    core = [unit for unit in sets[0] if unit in sets[1]]
    if core and any(len(chosen) > len(core) for chosen in sets):
        (of_core,) = removal.scores([core], removal.all)
        if _loss(removal, of_core) >= KEPT * _loss(removal, scores):
            sets, scores = [core, core], of_core
    named = core if sorted(sets[0]) == sorted(sets[1]) else []
    either = list(dict.fromkeys([*sets[0], *sets[1]]))
    drawn = [_sets(random_like(chosen, either, shape, draws, seed)) for chosen in sets]
    count = min(map(len, drawn))
    controls = _crossed(removal, half, [each[:count] for each in drawn])
    return _told(removal, scores, controls, sets, named, alone)


def _crossed(removal: Removal, half: np.ndarray, chosen: Sequence[Sequence[list[Unit]]]) -> np.ndarray:
    """(sets, n) scores: each prompt without what was chosen on the other half; as many sets for both halves."""
    found = np.zeros((len(chosen[0]), len(half)))
    for number in range(HALVES):
        rows = np.flatnonzero(half == number)
        found[:, rows] = removal.scores(chosen[1 - number], rows)
    return found


def _told(
    removal: Removal,
    scores: np.ndarray,
    controls: np.ndarray,
    sets: Sequence[list[Unit]],
    named: list[Unit],
    alone: Mapping[Unit, UnitAblation],
) -> JointAblation:
    separation = removal.separation
    lost = separation.lost(scores, removal.all)
    drop = separation.clusters.mean(lost)
    random = [float(each) for each in separation.lost(controls, removal.all).mean(-1)] if len(controls) else []
    flipped = (np.vstack([scores[None], controls]) > 0) != (separation.scores > 0)
    flips = [int(count) for count in flipped.sum(-1)]
    carried = carries(removal.explained, drop, random)
    return JointAblation(
        sizes=[len(chosen) for chosen in sets],
        named=[head_name(unit) for unit in named],
        redundant=[head_name(unit) for unit in _redundant(removal, named, drop.value)] if carried else [],
        each=[head_name(unit) for unit in _large(removal, alone, drop.value)] if carried else [],
        drop=drop,
        share=separation.clusters.ratio(lost, separation.signed),
        flips=flips[0],
        n=len(lost),
        control_drops=random,
        control_flips=flips[1:],
        carries=carried,
    )


def _redundant(removal: Removal, named: Sequence[Unit], joint: float) -> list[Unit]:
    """Those of the named ones that stand in for each other."""
    if len(named) < 2:
        return []
    sets = [[unit] for unit in named] + [[each for each in named if each != unit] for unit in named]
    sign = float(np.sign(removal.explained.size.value))
    lost = [sign * float(each) for each in removal.lost(sets, removal.all).mean(-1)]
    return redundant(named, sign * joint, lost[: len(named)], lost[len(named) :])


def _large(removal: Removal, alone: Mapping[Unit, UnitAblation], joint: float) -> list[Unit]:
    """Those that carry the verdict alone and lose a large part of the joint loss, in their order."""
    sign = float(np.sign(removal.explained.size.value))
    return [unit for unit, told in alone.items() if told.carries and sign * (told.drop.value - LARGE * joint) >= 0]


def _loss(removal: Removal, scores: np.ndarray) -> float:
    """What is lost, positive whichever way the judge answers."""
    lost = removal.separation.lost(scores, removal.all).mean()
    return float(np.sign(removal.explained.size.value) * lost)


def _sets(drawn: Sequence[dict[int, list[int]]]) -> list[list[Unit]]:
    return [[(layer, unit) for layer, units in each.items() for unit in units] for each in drawn]


def head_name(unit: Unit) -> str:
    """ "L3.H7" """
    return f"L{unit[0]}.H{unit[1]}"
