"""Which layers train, told from which tensors' bytes differ between two checkpoints of a run, never assumed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from analyzer.checkpoints.base_model import BasePlaces, bases_of
from analyzer.checkpoints.digest import ContentDigest, changed_tensors, compute_digest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.run_digests import DigestedRuns
from analyzer.checkpoints.soundness import validate
from analyzer.jobs.messages import Job, Neighbour
from shared.errors import CheckpointRejected
from shared.logs import entry
from shared.run import Run

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

logger = logging.getLogger(__name__)


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


def weights_by_place(digest: ContentDigest, judge: Judge) -> np.ndarray:
    """(layers + 2, 32) uint8 SHA-256 of the weights of the embeddings, of each layer, and of the head.

    Two checkpoints with equal rows have the same bytes there: by that it is told without the model which layers are
    the same, whatever else of the run is known. (2, 32), the embeddings' and the rest, where layers are unknown.
    An adapter's rows hold its base model and its config too.
    """
    layers = len(judge.anatomy.layers)
    parts = [hashlib.sha256(repr(digest.ground).encode()) for _ in range(layers + 2)]
    for name, value in sorted(digest.tensors.items()):
        place = judge.place_of(name)
        row = place + 1 if isinstance(place, int) else 0 if place == "embeddings" else layers + 1
        parts[min(row, layers + 1)].update(f"{name} {value}\n".encode())
    return np.array([list(part.digest()) for part in parts], dtype=np.uint8)


class FrozenLayers(NamedTuple):
    """What is known of a checkpoint's frozen layers."""

    boundary: int
    """The first layer that trains; 0 when nothing is known to be frozen."""
    source: Literal["bytes", "declared", "unknown"]
    embeddings: bool | None
    """Whether the embeddings are frozen; None when that is unknown."""


def frozen_layers(job: Job, run: Run, digest: ContentDigest, judge: Judge, digested: DigestedRuns) -> FrozenLayers:
    """From the bytes of two checkpoints where there are two, else as the trainer declares it."""
    known = digested.at(run.digests)
    changed = known.changed(digest)
    if job.neighbour is not None and not known.knows_others(job.checkpoint):
        found = _digest_neighbour(job.neighbour, run.digests, bases_of(run, job.record))
        changed = changed_tensors(digest, found)
    if changed is not None:
        boundary, embeddings = frozen_boundary(changed, digest.tensors, judge)
        return FrozenLayers(boundary, "bytes", embeddings)
    declared = job.record.frozen_layers
    if declared is not None:
        return FrozenLayers(declared, "declared", declared > 0)
    return FrozenLayers(0, "unknown", None)


def _digest_neighbour(neighbour: Neighbour, folder: Path, bases: BasePlaces) -> list[ContentDigest]:
    """The digests of another checkpoint, or none when it is not sound, cannot be read, or changes meanwhile."""
    files = tuple(neighbour.files)
    try:
        weights = validate(neighbour.directory, bases=bases)
        digest = compute_digest(neighbour.directory, weights, neighbour.checkpoint, files, folder)
        return [digest] if fingerprint(neighbour.directory, neighbour.checkpoint) == files else []
    except (CheckpointRejected, OSError) as error:
        extra = entry("neighbour_unusable", checkpoint=neighbour.checkpoint, cause=str(error))
        logger.info("%s does not tell which layers train: %s", neighbour.checkpoint, error, extra=extra)
        return []
