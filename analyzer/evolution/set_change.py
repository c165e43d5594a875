"""Sets of neurons and of edges, then and now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analyzer.statistics.ties import largest_first
from shared.findings.evolution import SetChange

NAMED = 20
"""Members of a set that are named."""

Name = Callable[[tuple[int, ...]], str]


def set_change(
    now: np.ndarray, before: np.ndarray, strength_now: np.ndarray, strength_before: np.ndarray, name: Name
) -> SetChange | None:
    """Two boolean arrays of one shape compared; None where the shapes differ.

    Born members are named by their strength now, lost ones by their strength then.
    """
    if now.shape != before.shape:
        return None
    kept, union = int((now & before).sum()), int((now | before).sum())
    return SetChange(
        before=int(before.sum()),
        now=int(now.sum()),
        kept=kept,
        born=named_strongest(now & ~before, strength_now, name),
        lost=named_strongest(before & ~now, strength_before, name),
        jaccard=kept / union if union else None,
    )


def named_strongest(members: np.ndarray, strength: np.ndarray, name: Name) -> list[str]:
    """Names of at most `NAMED` members of a boolean array, by |strength|."""
    places = np.argwhere(members)
    order = largest_first(np.abs(strength[members]))[:NAMED]
    return [name(tuple(int(index) for index in places[row])) for row in order]


def neuron_name(place: tuple[int, ...]) -> str:
    """ "L3.N17" """
    return f"L{place[0]}.N{place[1]}"


def established(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Members of the last two of `maps` (boolean, oldest first) and of none before; nobody without a map before."""
    if len(maps) < 3:
        return np.zeros_like(maps[-1])
    return maps[-1] & maps[-2] & ~np.logical_or.reduce(maps[:-2])


def vanished(maps: Sequence[np.ndarray]) -> np.ndarray:
    """Members of neither of the last two of `maps`, but of both before those; nobody without four maps."""
    if len(maps) < 4:
        return np.zeros_like(maps[-1])
    return ~maps[-1] & ~maps[-2] & maps[-3] & maps[-4]
