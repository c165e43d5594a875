"""The residual streams that a circuit's readers read, while it runs.

`PartedStreams` keeps a stream for every reader to come, as far as they differ, and writes to all of them: norms
that act on what is written, or on the stream itself, need that. Where blocks do nothing but add (most decoders),
`RebuiltStreams` keeps what each source writes beyond its corrupted value, and makes a reader's stream when it
reads: the corrupted one and the sum of what its edges keep. That goes through memory once for each reader, and not
once for every reader at every block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.device import working_bytes

if TYPE_CHECKING:
    from analyzer.circuits.streams import Step, StreamPlan
    from analyzer.model.verdict_token import VerdictToken
    from analyzer.model.wiring import Block
    from analyzer.patching.graph import Graph

SPARSE = 0.5
"""Share of the sources below which those that somebody keeps are copied together first."""
AHEAD = 48
"""Readers whose streams are summed in one product."""
PIECE_BYTES = 2**19
"""Of all streams at some tokens, on the CPU: few enough to stay in a core's cache."""


def streams_of(graph: Graph, clean: Tensor, corrupted: Tensor, plan: StreamPlan, only_added: bool) -> Streams:
    """Streams of one batch, as a circuit's plan says, kept in the way that goes through less memory.

    They begin at `clean` or `corrupted` (prompts, tokens, d_model).
    """
    kind = RebuiltStreams if only_added and 4 * plan.copies > plan.sums else PartedStreams
    return kind(graph, clean, corrupted, plan)


class Streams(Protocol):
    """One batch; streams are (prompts, tokens, d_model)."""

    def of_heads(self, layer: int) -> Tensor:
        """(groups, prompts, tokens, d_model) what the plan's groups of heads read."""
        ...

    def of_mlp(self, layer: int) -> Tensor:
        """What the MLP reads."""
        ...

    def of_verdict(self) -> Tensor:
        """What the verdict reads, once all is written."""
        ...

    def write(self, block: Block, step: Step, common: Tensor, differences: Tensor | None) -> None:
        """What a block writes: `common` (1, prompts, tokens, d_model) in the corrupted run, and of each writer that
        is in the circuit how it differs, (writers, prompts, tokens, d_model)."""
        ...

    def narrow(self, read: VerdictToken) -> None:
        """From here on only the token of the verdict goes on."""
        ...


class PartedStreams:
    """A stream for every reader to come, as far as they differ so far: the first `count` of one tensor.

    Each write goes through it in pieces of some tokens, which stay in the cache from the parting to the norm.
    """

    def __init__(self, graph: Graph, clean: Tensor, corrupted: Tensor, plan: StreamPlan) -> None:
        entry = torch.as_tensor(plan.entry, device=clean.device)[:, None, None, None]
        self.plan, self.count = plan, len(plan.entry)
        self.budget = working_bytes(str(clean.device), PIECE_BYTES)
        self.streams = clean.new_empty(plan.most, *clean.shape)
        torch.where(entry, clean, corrupted, out=self.streams[: self.count])

    def of_heads(self, layer: int) -> Tensor:
        return self.streams[_rows([stream for stream, _ in self.plan.layers[layer].heads], self.streams)]

    def of_mlp(self, layer: int) -> Tensor:
        stream = self.plan.layers[layer].mlp
        assert stream is not None  # noqa: S101 (asked for where there is one)
        return self.streams[stream]

    def of_verdict(self) -> Tensor:
        return self.streams[self.count - 1]

    def write(self, block: Block, step: Step, common: Tensor, differences: Tensor | None) -> None:
        self.count = len(step.parents)
        parents = _rows(step.parents.tolist(), self.streams)
        kept = torch.as_tensor(step.kept, device=common.device, dtype=common.dtype)
        every = nn.functional.pad(kept, (1, 0), value=1.0)  # what all get is one more writer that all keep
        streams = self.streams.flatten(1, 2)  # (streams, places, d_model)
        own = [common.flatten(1, 2)] if differences is None else [common.flatten(1, 2), differences.flatten(1, 2)]
        size = max(1, self.budget // (self.count * streams.shape[-1] * streams.element_size()))
        for start in range(0, streams.shape[1], size):
            piece = streams[:, start : start + size]
            writes = torch.cat([each[:, start : start + size] for each in own])
            left = piece[parents]  # that somebody still reads
            if block.branch_norm is None:
                left = torch.addmm(left.flatten(1), every, writes.flatten(1), alpha=block.scale).view_as(left)
            else:
                branch = (every @ writes.flatten(1)).view_as(left)
                left = torch.add(left, block.branch_norm(branch), alpha=block.scale)
            piece[: self.count] = left if block.trunk_norm is None else block.trunk_norm(left)

    def narrow(self, read: VerdictToken) -> None:
        self.streams = read.of(self.streams)


class RebuiltStreams:
    """What each source writes beyond its corrupted value; for blocks that do nothing but add.

    Readers of the next layers, `AHEAD` or a few more, get all that is written before them in one product, and what
    is written between them as they read: a product for a handful of readers takes as long as one for dozens.
    """

    def __init__(self, graph: Graph, clean: Tensor, corrupted: Tensor, plan: StreamPlan) -> None:
        self.graph, self.plan, self.common = graph, plan, corrupted
        self.sources = [0]
        """Those that have written, in the order in which they did."""
        self._due = plan.writers(graph)
        self.differences = clean.new_empty(1 + len(self._due), *clean.shape)
        torch.sub(clean, corrupted, out=self.differences[0])
        self._ahead: dict[int, int] = {}
        """Target -> its row of `_sums`."""
        self._sums, self._summed = self.differences[:0], 0
        """(targets, prompts, tokens, d_model) what they keep of the first so many sources."""

    def of_heads(self, layer: int) -> Tensor:
        return self._read(self._heads(layer), layer)

    def of_mlp(self, layer: int) -> Tensor:
        return self._read([self.graph.mlp_target(layer)], layer)[0]

    def of_verdict(self) -> Tensor:
        return self._read([self.graph.verdict], self.graph.layers)[0]

    def _heads(self, layer: int) -> list[int]:
        """Targets, one for each group."""
        first = self.graph.head_targets(layer).start
        return [first + heads[0] for _, heads in self.plan.layers[layer].heads]

    def _read(self, targets: Sequence[int], layer: int) -> Tensor:
        """(targets, prompts, tokens, d_model)"""
        if targets[0] not in self._ahead:
            self._look_ahead(layer)
        sums = self._sums[_rows([self._ahead[target] for target in targets], self._sums)]
        return self._kept(targets, self._summed, sums + self.common)

    def _look_ahead(self, layer: int) -> None:
        """Sum all that is written so far for the readers of this layer and the next ones."""
        targets: list[int] = []
        while layer < self.graph.layers and len(targets) < AHEAD:
            mlp = self.plan.layers[layer].mlp is not None
            targets += self._heads(layer) + ([self.graph.mlp_target(layer)] if mlp else [])
            layer += 1
        targets += [self.graph.verdict] if layer == self.graph.layers else []
        self._ahead = {target: row for row, target in enumerate(targets)}
        self._sums, self._summed = self._kept(targets, 0), len(self.sources)

    def _kept(self, targets: Sequence[int], first: int, beside: Tensor | None = None) -> Tensor:
        """(targets, prompts, tokens, d_model) what each keeps of the sources from `first` on, added to `beside`."""
        kept = self.plan.mask[np.ix_(self.sources[first:], targets)]  # (sources, targets)
        differences, some = self.differences[first : len(self.sources)], np.flatnonzero(kept.any(1))
        if len(some) < SPARSE * len(kept):
            kept, differences = kept[some], differences[torch.as_tensor(some, device=differences.device)]
        shape = (len(targets), *differences.shape[1:])
        keeps = torch.as_tensor(kept.T, device=differences.device, dtype=differences.dtype)
        if beside is None:
            return (keeps @ differences.flatten(1)).view(shape)
        return beside.flatten(1).addmm_(keeps, differences.flatten(1)).view(shape)

    def write(self, block: Block, step: Step, common: Tensor, differences: Tensor | None) -> None:
        self.common = torch.add(self.common, common[0], alpha=block.scale)
        if differences is not None:
            start, stop = len(self.sources), len(self.sources) + len(differences)
            torch.mul(differences, block.scale, out=self.differences[start:stop])
            self.sources, self._due = self.sources + self._due[: stop - start], self._due[stop - start :]

    def narrow(self, read: VerdictToken) -> None:
        self.common, self.differences, self._sums = (
            read.of(each) for each in (self.common, self.differences, self._sums)
        )


def _rows(places: list[int], streams: Tensor) -> slice | Tensor:
    """Places in a row as a slice, which copies nothing."""
    first, count = places[0], len(places)
    if places == list(range(first, first + count)):
        return slice(first, first + count)
    return torch.as_tensor(places, device=streams.device)
