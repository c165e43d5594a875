"""The ablation curve: what is left of the separation when more and more of the strongest neurons are removed.

Neurons are ranked by plain attribution against their means, which is mean ablation to first order, on all folds of
the prompts but one, and removed on that one (cross-fitted): ranked and removed on the same prompts, a few neurons
seem to carry what takes hundreds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analyzer.units.effects import Unit
from analyzer.units.removal import Removal
from shared.findings.removal_curve import CurvePoint, HalfGone, RemovalCurve

COUNTS, SHARES = (1, 5, 20), (0.01, 0.02, 0.05, 0.1, 0.5)
"""Sizes of the curve, in neurons and as shares of all."""
RANDOM_SHARES = (0.01, 0.1, 0.5)
"""Sizes at which as many random neurons are removed."""


def ranked(effects: np.ndarray, size: float) -> np.ndarray:
    """(layers, neurons) class-signed effects -> flat order, those that support the separation most first.

    `size` is the separation: where it is reversed, so is what supports it.
    """
    return np.argsort((-effects if size > 0 else effects).ravel(), kind="stable")


def sizes_of(total: int) -> tuple[list[int], list[int]]:
    """The curve's sizes, and those of them with random neurons, of `total` neurons."""
    of = {share: max(1, round(share * total)) for share in SHARES}
    sizes = sorted({size for size in (*COUNTS, *of.values()) if size < total})
    return sizes, sorted({of[share] for share in RANDOM_SHARES} & set(sizes))


def removal_curve(
    removal: Removal, fold: np.ndarray, orders: Sequence[np.ndarray], shape: tuple[int, int], seed: int
) -> RemovalCurve:
    """`fold` (n,) of each prompt; `orders[f]` is the flat order of all neurons, ranked without fold f."""
    separation, total = removal.separation, shape[0] * shape[1]
    sizes, with_random = sizes_of(total)
    scores = np.zeros((len(sizes) + len(with_random), len(fold)))
    for number, order in enumerate(orders):
        rows = np.flatnonzero(fold == number)
        sets = [_units(order[:size], shape[1]) for size in sizes]
        random = np.random.default_rng([seed, number])
        sets += [_random(order[:size], shape, random) for size in with_random]
        scores[:, rows] = removal.scores(sets, rows)
    left = separation.signed - separation.lost(scores, removal.all)
    shares = [separation.clusters.ratio(each, separation.signed) for each in left]
    drawn = dict(zip(with_random, shares[len(sizes) :], strict=True))
    points = [
        CurvePoint(removed=size, left=share, random=drawn.get(size))
        for size, share in zip(sizes, shares, strict=False)
    ]
    return RemovalCurve(points=points, half=half_gone(points), total=total, n=len(fold), folds=len(orders))


def _units(flat: np.ndarray, width: int) -> list[Unit]:
    return [(int(place) // width, int(place) % width) for place in flat]


def _random(flat: np.ndarray, shape: tuple[int, int], random: np.random.Generator) -> list[Unit]:
    """As many neurons of each layer as `flat` has there, from all of the layer's."""
    counts = np.bincount(flat // shape[1], minlength=shape[0])
    return [
        (layer, int(unit))
        for layer, count in enumerate(counts)
        for unit in random.choice(shape[1], count, replace=False)
    ]


def half_gone(points: Sequence[CurvePoint]) -> HalfGone | None:
    """Where half is left, with the sizes at which that may be so (the curve's interval holds one half)."""
    known = [(point.removed, point.left) for point in points if point.left is not None]
    at = _crossing([(size, left.value) for size, left in known])
    if at is None:
        return None
    low = _crossing([(size, left.low) for size, left in known])
    high = _crossing([(size, left.high) for size, left in known], last=True)
    return HalfGone(
        at=round(at),
        low=min(round(at), round(at if low is None else low)),
        high=None if high is None else max(round(at), round(high)),
    )


def _crossing(line: Sequence[tuple[int, float]], *, last: bool = False) -> float | None:
    """Size at which a line first (or for good) comes to one half, straight over log(size); None where it does
    not."""
    below = [share <= 0.5 for _, share in line]
    if last:
        place = len(below) - next((back for back, each in enumerate(reversed(below)) if not each), len(below))
    else:
        place = next((number for number, each in enumerate(below) if each), len(below))
    if place == len(below):
        return None
    if place == 0:
        return float(line[0][0])
    (size, share), (next_size, next_share) = line[place - 1], line[place]
    way = (share - 0.5) / (share - next_share)
    return math.exp(math.log(size) + way * math.log(next_size / size))
