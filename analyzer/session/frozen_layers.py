"""Which layers train, told from which tensors' bytes differ between two checkpoints of a run, never assumed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


def frozen_boundary(changed: set[str], names: Iterable[str], judge: Judge) -> tuple[int, bool]:
    """The first layer that trains, and whether the embeddings are frozen.

    `changed` are the tensors whose bytes differ, `names` all tensors of the checkpoint: the whole model's, or an
    adapter's, where a layer that has none is the base model's and so frozen. Layers below the returned index give
    the same activations at every checkpoint when the embeddings are frozen too. The index is the number of layers
    when only the head trains, and 0 when nothing is known to be frozen: for a family whose parts are unknown, or
    without names. A tensor that all layers share (DeBERTa's relative positions) counts as layer 0.
    """
    names = list(names)
    if not names or not judge.anatomy.layers:
        return 0, False
    places = {judge.place_of(name) for name in changed}
    layers = [place for place in places if isinstance(place, int)]
    return min(layers, default=len(judge.anatomy.layers)), "embeddings" not in places
