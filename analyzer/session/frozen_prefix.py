"""The frozen prefix: what layers below the frozen boundary give on the fixed probe set is computed once a run.

Frozen embeddings and frozen layers give the same activations at every checkpoint. Kept in the worker, on the host:
the residual stream at the boundary, prompt by prompt without padding, and the reductions of the points below. A
later pass begins at the boundary (`partial_pass.starting_at`) and takes the rest from here; only the logit lens is
read anew, because the head trains.

What is kept is found by content alone: the digests of all tensors below the boundary, of the config and of the
token ids, and the device and precision; of an adapter the digests of its own tensors below the boundary, and of
what they act on. Before it is used, one prompt goes through the whole model and must arrive
at the same stream.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.checkpoints.file_names import CONFIG
from analyzer.model.batches import Batch, Encoded
from analyzer.model.capture import PREFIX_BUDGET, Capture
from analyzer.model.hooked_pass import ForwardPass, Progress, record, unwatched
from analyzer.model.partial_pass import starting_at
from analyzer.model.refusals import HARMLESS
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import read_pooled
from shared.logs import entry

if TYPE_CHECKING:
    from analyzer.checkpoints.digest import ContentDigest
    from analyzer.model.judge import Judge

logger = logging.getLogger(__name__)

LENS_ROWS = 64
"""Prompts read through the head at a time."""


@dataclass(frozen=True)
class Prefix:
    """What is known of the points 0 to `boundary`, whatever the layers above have become."""

    base: str
    """Digest of all that the activations depend on beside the tensors."""
    below: str
    """Digest of the tensors below the boundary."""
    boundary: int
    streams: list[Tensor]
    """(tokens, d_model) of each prompt: what layer `boundary` reads; on the host, in the model's precision."""
    kept: dict[str, np.ndarray]
    """Reductions, named and shaped as in `hooked_pass`: points 0 to `boundary`, layers 0 to `boundary` - 1."""

    @property
    def nbytes(self) -> int:
        arrays = sum(array.nbytes for array in self.kept.values())
        return arrays + sum(stream.nbytes for stream in self.streams)

    def has(self, *, means: bool) -> bool:
        return not means or "heads" in self.kept

    @contextmanager
    def fed(self, judge: Judge, rows: Sequence[int], batch: Batch) -> Iterator[None]:
        """Let the model begin at the boundary with the streams of the prompts `rows`."""
        real = torch.cat([self.streams[row] for row in rows]).to(judge.device)
        hidden = real.new_zeros((*batch.mask.shape, real.shape[-1]))
        order = batch.mask.bool()
        hidden[order] = real
        with starting_at(judge, self.boundary, hidden):
            yield

    def arrays(self, judge: Judge) -> dict[str, np.ndarray]:
        """The reductions, with the lens as this judge's head reads the pooled states."""
        if judge.anatomy.head is None:
            return dict(self.kept)
        return self.kept | {"lens": np.stack([_lens(judge, point) for point in self.kept["pooled"]])}


def _lens(judge: Judge, pooled: np.ndarray) -> np.ndarray:
    """(n, d_model) -> (n,) score read early."""
    parts = torch.from_numpy(pooled).split(LENS_ROWS)
    read = [read_pooled(judge, part.to(judge.device, judge.model.dtype)) for part in parts]
    return torch.cat(read).cpu().numpy()


@dataclass
class PrefixStore:
    """The prefixes that a worker keeps, in a budget, least recently used first."""

    budget: int = PREFIX_BUDGET
    _kept: list[Prefix] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        return sum(prefix.nbytes for prefix in self._kept)

    def add(self, prefix: Prefix) -> None:
        """Keep a prefix in place of an equal one, and as many of the others as fit beside it."""
        if prefix.nbytes > self.budget:
            return
        place = (prefix.base, prefix.below, prefix.boundary)
        self._kept = [other for other in self._kept if (other.base, other.below, other.boundary) != place]
        self._kept.append(prefix)
        while self.nbytes > self.budget:
            self._kept.pop(0)

    def drop(self, prefix: Prefix) -> None:
        self._kept = [other for other in self._kept if other is not prefix]

    def clear(self) -> None:
        self._kept.clear()

    def deepest(self, base: str, tensors: TensorsBelow, *, means: bool) -> Prefix | None:
        """The prefix with the highest boundary that holds for these tensors and has what is needed."""
        fitting = [
            prefix
            for prefix in self._kept
            if prefix.base == base and prefix.below == tensors.digest(prefix.boundary) and prefix.has(means=means)
        ]
        found = max(fitting, key=lambda prefix: prefix.boundary, default=None)
        if found is not None:
            self.drop(found)
            self._kept.append(found)
        return found


class TensorsBelow:
    """Which tensors act below a boundary, and their digests. For those of an adapter's base the base's must do."""

    def __init__(self, judge: Judge, tensors: dict[str, str]) -> None:
        self._places = {name: judge.place_of(name) for name in tensors}
        self._tensors = tensors
        loaded = [] if judge.adapter else [n for n in judge.model.state_dict() if not n.endswith(HARMLESS)]
        self._undigested = [judge.place_of(name) for name in loaded if name not in tensors]

    def digest(self, boundary: int) -> str | None:
        """Digest of all tensors below the boundary; None when one that was loaded has none of its own."""
        if any(_is_below(place, boundary) for place in self._undigested):
            return None
        below = sorted(
            (name, digest) for name, digest in self._tensors.items() if _is_below(self._places[name], boundary)
        )
        return _digest(below)


def _is_below(place: int | str, boundary: int) -> bool:
    return place == "embeddings" or (isinstance(place, int) and place < boundary)


@dataclass
class FrozenPrefix:
    """One checkpoint's access to the prefixes of its worker."""

    store: PrefixStore
    digest: ContentDigest
    boundary: int
    """Where to keep a prefix: the frozen boundary as it is known now; 0 keeps none."""

    @torch.inference_mode()
    def record(
        self,
        judge: Judge,
        encoded: list[Encoded],
        batch_tokens: int,
        *,
        means: bool,
        progress: Progress = unwatched,
    ) -> ForwardPass:
        """`hooked_pass.record`, begun at the highest boundary for which the store has a prefix."""
        if not _can_begin_later(judge):
            return record(judge, encoded, batch_tokens, means=means, progress=progress)
        base, tensors = self._base(judge, encoded), TensorsBelow(judge, self.digest.tensors)
        prefix = self.store.deepest(base, tensors, means=means)
        if prefix is not None and not _holds(judge, encoded, prefix):
            name = self.digest.checkpoint
            extra = entry("prefix_dropped", checkpoint=name)
            logger.warning("the frozen prefix of %s does not hold: computing all of it", name, extra=extra)
            self.store.drop(prefix)
            prefix = None
        capture, below = None, tensors.digest(self.boundary)
        if below is not None and self.boundary > (0 if prefix is None else prefix.boundary):
            capture = Capture(self.boundary, self.store.budget)
        found = record(
            judge,
            encoded,
            batch_tokens,
            means=means,
            prefix=prefix,
            capture=capture,
            progress=progress,
        )
        if capture is not None and below is not None and capture.streams:
            if prefix is not None:  # the new one reaches further
                self.store.drop(prefix)
            streams = [capture.streams[row] for row in range(len(encoded))]
            self.store.add(Prefix(base, below, self.boundary, streams, _cut(found, self.boundary)))
        return found if prefix is None else replace(found, taken_over=prefix.boundary)

    def _base(self, judge: Judge, encoded: list[Encoded]) -> str:
        anatomy = judge.anatomy
        return _digest(
            [
                self.digest.others.get(CONFIG),
                self.digest.ground,
                judge.device,
                judge.dtype,
                anatomy.family,
                anatomy.pooling,
                anatomy.prompted,
                anatomy.pad_id,
                anatomy.attention_writes is None,
                anatomy.mlp_writes is None,
                anatomy.wiring is None,
                [prompt.ids for prompt in encoded],
            ]
        )


def _can_begin_later(judge: Judge) -> bool:
    """Not without known layers; nor where the lens needs the norm of each token, of which only the mean is kept."""
    anatomy = judge.anatomy
    return bool(anatomy.layers) and not (anatomy.pooling == "mean" and anatomy.final_norm is not None)


def _holds(judge: Judge, encoded: list[Encoded], prefix: Prefix) -> bool:
    """Whether one prompt, of middle length, still arrives at the boundary as it is kept."""
    row = sorted(range(len(encoded)), key=lambda index: len(encoded[index].ids))[len(encoded) // 2]
    capture = Capture(prefix.boundary)
    record(judge, [encoded[row]], 1, capture=capture)
    kept, found = prefix.streams[row].float(), capture.streams[0].float()
    bound = rounding_of(judge.dtype) * float(kept.abs().max())
    return bool((found - kept).abs().max() <= bound)


def _cut(found: ForwardPass, boundary: int) -> dict[str, np.ndarray]:
    """Copies of a pass's reductions up to the boundary."""
    kept = {"pooled": found.pooled[: boundary + 1], "norms": found.norms.T[: boundary + 1]}
    for name, values in (("attention", found.attention_writes), ("mlp", found.mlp_writes)):
        if values is not None:
            kept[name] = values.T[:boundary]
    if found.unit_means is not None:
        means = found.unit_means
        kept |= {"input": means.input[None], "heads": means.heads[:boundary], "neurons": means.neurons[:boundary]}
    return {name: values.copy() for name, values in kept.items()}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
