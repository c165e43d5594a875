"""Which of some units that are removed together are needed for what is lost: backward elimination.

All are removed; then, from the weakest on, each is given back whose return restores little. What stays loses nearly
as much as all. That finds units that stand in for each other, of which each alone loses nothing: of two exact
backups the first that is given back restores everything, so that both stay. Adding units one by one misses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analyzer.units.effects import Unit

KEPT = 0.9
"""Share of the loss that the units which stay must lose."""
ALONE, RESTORES = 0.1, 0.5
"""Units stand in for each other where each alone loses less than the first share of the joint loss, and any of
them, given back last, restores the second."""


def needed(loss: Callable[[list[Unit]], float], units: Sequence[Unit]) -> list[Unit]:
    """`units` (strongest first) without those whose return restores little; `loss` of a set removed together, nats.

    All of them where nothing is lost without them.
    """
    removed = list(units)
    most = loss(removed) if removed else 0.0
    if most <= 0:
        return removed
    for unit in reversed(units):
        left = [each for each in removed if each != unit]
        if not left:
            break
        lost = loss(left)
        if lost >= KEPT * most:
            removed, most = left, max(most, lost)
    return removed


def redundant(units: Sequence[Unit], joint: float, alone: Sequence[float], others: Sequence[float]) -> list[Unit]:
    """Those of `units` that stand in for each other; none where it is only one.

    `joint` is what is lost without all, `alone` without each, `others` without all but each; positive nats.
    """
    if joint <= 0:
        return []
    found = [
        unit
        for unit, one, rest in zip(units, alone, others, strict=True)
        if one < ALONE * joint and joint - rest >= RESTORES * joint
    ]
    return found if len(found) > 1 else []
