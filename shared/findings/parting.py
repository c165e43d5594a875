"""At which layer do two judges part? The read-outs of the same prompts, layer by layer, tested over groups.

1. A layer's *separation* is half the distance between the mean read-outs of unsafe and of safe prompts, nats; the
   *change* is that of one judge less that of the other, on the same prompts.
2. Its error is cluster-robust: the influence of each prompt is summed over its independent group.
3. One band for all layers: the quantile of the largest |t| over the layers when the sign of every group's influence
   is drawn at random (multiplier bootstrap with Rademacher weights, studentised anew in each draw; Chernozhukov,
   Chetverikov, Kato 2013, Annals of Statistics 41). So a band of 95 % holds all layers at once.
4. They part at the first of two layers in a row (or at the last one) whose band leaves out 0 at p < 0.002, where
   the change is at least 0.1 nats: less moves no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.findings.claims import CHANCE, FEWEST_GROUPS, LEAST_NATS
from shared.findings.parts import EMBEDDINGS, Interval

DRAWS, SHARE = 20_000, 0.95
"""Draws of signs, and what a band that is shown holds."""


@dataclass(frozen=True)
class Parting:
    """How far two judges' read-outs are apart. Points are the embeddings, then the layers."""

    change: tuple[Interval, ...]
    """Of the separation, nats, a point each, with a 95 % band over all points at once."""
    layer: int | None
    """Where they part, -1 for the embeddings; None where nothing can be claimed."""
    layers: tuple[int, int] | None
    """The 2.5th and 97.5th percentile of that layer when groups of prompts are drawn anew."""
    groups: int
    prompts: int

    @property
    def few(self) -> bool:
        """Whether there are too few groups for any claim."""
        return self.groups < FEWEST_GROUPS


@dataclass(frozen=True, eq=False)
class ByLayer:
    """Two checkpoints' read-outs on the prompts of both."""

    layers: int
    frozen: int
    """Layers from the first on that the shown checkpoint left frozen."""
    embeddings_frozen: bool | None
    unsafe: np.ndarray
    """(n,) boolean."""
    there: np.ndarray
    """(n, layers + 1) nats."""
    here: np.ndarray
    found: Parting | None
    """None where a class is missing."""
    cka: list[float] | None
    """layers + 1 entries: how alike the two see the prompts; None where that is not kept."""


def parting(
    there: np.ndarray, here: np.ndarray, unsafe: np.ndarray, groups: np.ndarray, seed: int = 0
) -> Parting | None:
    """`there` and `here` (n, points) read-outs of the same prompts, nats; `unsafe` (n,) boolean; `groups` (n,).

    None where a class is missing, or fewer than two groups are there.
    """
    moved = here.astype(float) - there.astype(float)  # (n, points)
    count = len(np.unique(groups))
    if count < 2 or unsafe.all() or not unsafe.any():
        return None
    size, influence = _change(moved, unsafe)
    totals = np.stack([np.bincount(groups, column) for column in influence.T], axis=1)  # (groups, points)
    totals = totals[np.bincount(groups) > 0]
    error = np.sqrt(count / (count - 1) * (totals**2).sum(0))
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size=(DRAWS, count))
    largest = _largest(signs @ totals, totals)
    half = float(np.quantile(largest, SHARE)) * error
    bar = float(np.quantile(largest, 1 - CHANCE))
    layer = None if count < FEWEST_GROUPS else _first(size, error, bar)
    return Parting(
        change=tuple(
            Interval(value=float(v), low=float(v - h), high=float(v + h)) for v, h in zip(size, half, strict=True)
        ),
        layer=layer,
        layers=None if layer is None else _range(size, signs @ totals, error, bar),
        groups=count,
        prompts=len(moved),
    )


def _change(moved: np.ndarray, unsafe: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the separation by point (points,), and each prompt's influence on it (n, points)."""
    means = [moved[which].mean(0) for which in (unsafe, ~unsafe)]
    away = np.where(unsafe[:, None], moved - means[0], means[1] - moved)
    return (means[0] - means[1]) / 2, away / (2 * np.where(unsafe, unsafe.sum(), (~unsafe).sum()))[:, None]


def _largest(drawn: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """(draws,) largest |t| over the points, each draw with its own error; a point that never varies counts as 0."""
    count, squares = len(totals), (totals**2).sum(0)
    left = np.maximum(squares - drawn**2 / count, 1e-12 * squares)
    error = np.sqrt(count / (count - 1) * left)
    return np.divide(np.abs(drawn), error, out=np.zeros_like(drawn), where=error > 0).max(1)


def _clear(size: np.ndarray, error: np.ndarray, bar: float) -> np.ndarray:
    """Which points are clear of 0 and large enough; the last axis are points."""
    return (np.abs(size) > bar * error) & (np.abs(size) >= LEAST_NATS)


def _first(size: np.ndarray, error: np.ndarray, bar: float) -> int | None:
    clear = _clear(size, error, bar)
    both = np.append(clear[:-1] & clear[1:], clear[-1])
    return int(np.argmax(both)) + EMBEDDINGS if both.any() else None


def _range(size: np.ndarray, drawn: np.ndarray, error: np.ndarray, bar: float) -> tuple[int, int]:
    """Where they part when groups are drawn anew; a draw in which they do not counts as behind the last layer."""
    clear = _clear(size + drawn, error, bar)
    both = np.concatenate([clear[:, :-1] & clear[:, 1:], clear[:, -1:]], axis=1)
    first = np.where(both.any(1), both.argmax(1), size.size) + EMBEDDINGS
    low, high = np.quantile(first, [0.025, 0.975], method="nearest")
    return int(low), int(high)
