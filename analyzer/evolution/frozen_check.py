"""Do layers whose weights did not change still give what they gave at the run's first checkpoint?

Which weights are the same is told from bytes, of just these two checkpoints; the activations from the residual
norms of their `layers` results. So the check is made for a checkpoint as soon as there is an earlier one, and made
anew when a still earlier one arrives, whatever the order of arrival.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from analyzer.jobs.earlier_results import EarlierResults
from analyzer.model.rounding import rounding_of
from shared.findings.text import counted, percent

HALF_ROUNDING = 5e-3
"""Of norms in half precision, relative: means over tokens, so ten times less than of single numbers."""

FrozenCheck = tuple[Literal["pass", "fail", "not_possible"], str]


def frozen_check(earlier: EarlierResults, weights: np.ndarray) -> FrozenCheck:
    """Against the first analysed checkpoint, and why; `weights` (places, 32) are this one's digests."""
    first = earlier.lineage.first
    if first is None:
        return "not_possible", "This is the first analysed checkpoint: later ones are held against it."
    there = earlier.weights(first)
    if there is None:
        return "not_possible", f"The weights of {first.checkpoint} are not known."
    layers = same_layers(weights, there)
    if layers is None:
        return (
            "not_possible",
            f"Its embeddings are not those of {first.checkpoint}, so every activation may change.",
        )
    tensors = [earlier.own("layers", ["residual_norms"]), earlier.tensors(first, "layers", ["residual_norms"])]
    now, before = (found["residual_norms"] if found is not None else None for found in tensors)
    if now is None or before is None or now.shape != before.shape:
        return "not_possible", f"There are no layers results of this checkpoint and of {first.checkpoint}."
    dtypes = [earlier.dtype(None, "layers"), earlier.dtype(first, "layers")]
    both = np.isfinite(now).all(1) & np.isfinite(before).all(1)
    if not both.any():
        return "not_possible", f"No prompt has a number both here and at {first.checkpoint}."
    worst = largest_difference(now[both, : layers + 1], before[both, : layers + 1])
    above = f" and {counted(layers, 'layer')} above them" if layers else ""
    where = f"The embeddings{above} have the same bytes as at {first.checkpoint}"
    if worst <= max(rounding_of(dtype or "", HALF_ROUNDING) for dtype in dtypes):
        return "pass", f"{where} and give the same (largest difference of norms {worst:.1e})."
    return "fail", f"{where}, but norms there differ by up to {percent(worst, 1)}: they were not computed alike."


def same_layers(one: np.ndarray, other: np.ndarray) -> int | None:
    """Layers from the first one on with the same weights; None where the embeddings differ or layers are
    unknown."""
    if one.shape != other.shape or len(one) < 3 or (one[0] != other[0]).any():
        return None
    return first_changed(one, other)


def first_changed(one: np.ndarray, other: np.ndarray) -> int:
    """The first layer with other weights, whatever the embeddings' are; their number where all are the same."""
    differ = (one[1:-1] != other[1:-1]).any(1)
    return int(differ.argmax()) if differ.any() else len(differ)


def largest_difference(now: np.ndarray, before: np.ndarray) -> float:
    """Relative, of (n, points) norms."""
    return float((np.abs(now - before) / np.maximum(np.abs(before), 1e-6)).max())
