"""Edge scores from one batch's gradients (EAP-IG, Hanna et al. 2024, arXiv 2403.17806).

score(u, v) = sum over tokens of (a_u - a_ref_u), carried along the residual stream to v, . mean gradient at v's own
input. Walking down from the verdict:

1. Every reader's gradient is taken in the stream at the place where it reads (through its read norm's Jacobian).
2. At each norm of the stream (post-norm models) the gradients of all readers above are pulled back through it, at
   each step's own point; at a branch norm (sandwich) likewise, for what that branch writes.
3. At each writer, one matrix product of its differences with the gradients of all readers above.

Positions are the real tokens of the batch, part by part (`parts`); chunks of them bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.device import working_bytes
from analyzer.model.judge import known_wiring
from analyzer.model.linear_maps import weight_of
from analyzer.model.projections import places
from analyzer.patching.graph import Graph
from analyzer.patching.norm_jacobian import NormParts, norm_parts, pull_back_
from analyzer.patching.parts import PartScores, PartSums
from analyzer.patching.source_values import SourceValues, head_writes, mlp_write
from analyzer.patching.tape import Tape, norms_of

if TYPE_CHECKING:
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Block, Layer

CHUNK_BYTES = 8 * 2**20
"""Of the gradients of all readers at once, on the CPU: every norm goes through them, near its caches."""


class EdgeSums:
    """Sums of edge scores over the prompts seen so far, by part."""

    def __init__(self, judge: Judge, graph: Graph) -> None:
        self.graph, self.wiring = graph, known_wiring(judge)
        self.sums = PartSums()
        blocks = [block for layer in self.wiring.layers for block in (layer.attention, layer.mlp)]
        self.parts: dict[nn.Module, NormParts] = {norm: norm_parts(norm) for b in blocks for norm in norms_of(b)}
        self.straight = self.wiring.only_added
        self.weights = [self._reading_weights(layer) for layer in self.wiring.layers]

    def _reading_weights(self, layer: Layer) -> Tensor:
        """(heads, 3 * head_size, d_model): from a head's query, key and value gradients to its input's."""
        projected = self.wiring.projected
        found = []
        for place, projection in zip(places(len(layer.projections)), layer.projections, strict=True):
            parts = projected.apart(weight_of(projection).T, place)  # each (d_model, own heads, head_size)
            found += [part.permute(1, 2, 0) for part in projected.all_heads(parts)]
        return torch.cat(found, 1)

    def add(
        self, tape: Tape, gradients: Gradients, deltas: SourceValues, real: Tensor, parts: np.ndarray, each: int = 1
    ) -> None:
        """One batch: `deltas` (rows, tokens, units) signed differences, `real` (rows, tokens) bool.

        `parts` (rows,) is the part of each row, which stands for `each` prompts of the same scores.
        """
        d_model = deltas.input.shape[-1]
        steps = 1 if self.straight else gradients.steps
        budget = working_bytes(str(real.device), CHUNK_BYTES)
        size = max(1, budget // (4 * self.graph.targets * steps * d_model))
        written = [mlp_write(*each) for each in zip(self.wiring.layers, deltas.neurons, strict=True)]
        for part in np.unique(parts).tolist():
            rows = torch.as_tensor(parts == part, device=real.device)
            places = (real & rows[:, None]).flatten().nonzero()[:, 0]
            scores = torch.zeros(self.graph.sources, self.graph.targets, device=real.device)
            for chosen in places.tensor_split(max(1, -(-len(places) // size))):
                self._walk(tape, gradients, deltas, written, chosen, scores)
            self.sums.add(part, each * scores, each * int(rows.sum()))

    def _walk(
        self,
        tape: Tape,
        gradients: Gradients,
        deltas: SourceValues,
        written: list[Tensor],
        chosen: Tensor,
        scores: Tensor,
    ) -> None:
        """Add these positions' part to `scores` (sources, targets); `written` are the MLPs' differences."""
        graph, wiring = self.graph, self.wiring
        last = self._settled(gradients.take(gradients.last, chosen)[None])
        readers = last.new_empty(graph.targets, *last.shape[1:])  # (targets, steps, positions, d_model)
        readers[graph.verdict :] = last
        above = graph.verdict  # readers below it are not known yet
        for number in reversed(range(graph.layers)):
            layer = wiring.layers[number]
            branch = self._through(layer.mlp, tape, gradients, readers[above:], chosen)
            scores[graph.mlp_source(number), above:] += _meeting(_at(written[number], chosen)[:, None], branch)[0]
            readers[graph.mlp_target(number)] = self._settled(self._mlp_reader(number, tape, gradients, chosen))[0]
            if not graph.parallel:  # else the MLP reads nothing of what this layer's heads write
                above = graph.mlp_target(number)
            branch = self._through(layer.attention, tape, gradients, readers[above:], chosen)
            writes = head_writes(layer, _at(deltas.heads[number], chosen), graph.heads)
            scores[graph.head_sources(number), above:] += _meeting(writes, branch)
            above = graph.head_targets(number).start
            readers[graph.head_targets(number)] = self._settled(self._head_readers(number, tape, gradients, chosen))
        scores[0] += _meeting(_at(deltas.input, chosen)[:, None], readers)[0]

    def _settled(self, own: Tensor) -> Tensor:
        """(targets, steps, positions, d_model); where nothing nonlinear is between, the mean over steps at once."""
        own = own.float()
        return own.mean(1, keepdim=True) if self.straight else own

    def _through(self, block: Block, tape: Tape, gradients: Gradients, readers: Tensor, chosen: Tensor) -> Tensor:
        """Pull the readers' gradients back through the trunk norm, in place; returns what the branch meets."""
        if block.trunk_norm is not None:
            self._pull(block.trunk_norm, tape, gradients, readers, chosen)
        if block.branch_norm is None:
            return readers
        return self._pull(block.branch_norm, tape, gradients, readers.clone(), chosen)

    def _pull(self, norm: nn.Module, tape: Tape, gradients: Gradients, found: Tensor, chosen: Tensor) -> Tensor:
        point = gradients.take(tape.norm_inputs[norm], chosen)  # (steps, positions, d_model)
        pull_back_(self.parts[norm], point.flatten(0, 1), found.view(len(found), -1, found.shape[-1]))
        return found

    def _mlp_reader(self, number: int, tape: Tape, gradients: Gradients, chosen: Tensor) -> Tensor:
        """(1, steps, positions, d_model): the MLP's gradient in the stream."""
        own, layer = gradients.take(gradients.mlp_inputs[number], chosen)[None], self.wiring.layers[number]
        if not layer.one_norm or layer.mlp.read_norm is None:
            return own
        point = gradients.take(tape.norm_inputs[layer.mlp.read_norm], chosen).flatten(0, 1)
        return pull_back_(self.parts[layer.mlp.read_norm], point, own.float().flatten(1, 2)).view_as(own)

    def _head_readers(self, number: int, tape: Tape, gradients: Gradients, chosen: Tensor) -> Tensor:
        """(heads, steps, positions, d_model): each head's gradient in the stream, through its q, k and v."""
        heads, projected, group = self.graph.heads, self.wiring.projected, gradients.projections[number]
        parts = [
            part
            for place, gradient in zip(places(len(group)), group, strict=True)
            for part in projected.apart(gradients.take(gradient, chosen), place, heads)
        ]
        own = torch.cat(parts, -1)  # (steps, positions, heads, 3 size)
        steps = own.shape[0]
        own = own.flatten(0, 1).transpose(0, 1)  # (heads, steps * positions, 3 size)
        found = torch.bmm(own, self.weights[number].to(own.dtype)).float()
        norm = self.wiring.layers[number].attention.read_norm
        if norm is not None:
            point = gradients.take(tape.norm_inputs[norm], chosen).flatten(0, 1)
            pull_back_(self.parts[norm], point, found)
        return found.unflatten(1, (steps, -1))

    def finished(self) -> PartScores:
        """NaN where there is no edge."""
        return self.sums.finished(self.graph.allowed)


class Gradients:
    """The gradients of one batch at the tape's points; rows are steps x prompts, first the plain gradient's.

    `plain` says whether there are such.
    """

    def __init__(
        self, tape: Tape, found: Iterator[Tensor], steps: int, prompts: int, *, plain: bool = True
    ) -> None:
        self.steps, self.prompts, self.first = steps, prompts, int(plain)
        self.heads = [next(found) for _ in tape.heads]
        self.neurons = [next(found) for _ in tape.neurons]
        self.projections = [[next(found) for _ in group] for group in tape.projections]
        self.mlp_inputs = [next(found) for _ in tape.mlp_inputs]
        self.last = next(found) if tape.last else torch.empty(0)

    def take(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """(rows, tokens, width) -> (steps, chosen positions, width), without the plain gradient's rows."""
        return self.along(rows).flatten(1, 2)[:, chosen]

    def along(self, rows: Tensor) -> Tensor:
        """(rows, tokens, width) -> (steps, prompts, tokens, width), without the plain gradient's rows."""
        return rows.unflatten(0, (self.steps + self.first, self.prompts))[self.first :]


def _at(values: Tensor, chosen: Tensor) -> Tensor:
    """(prompts, tokens, width) -> (positions, width)"""
    return values.flatten(0, 1)[chosen]


def _meeting(writes: Tensor, readers: Tensor) -> Tensor:
    """(positions, writers, d_model), (readers, steps, positions, d_model) -> (writers, readers).

    The mean over steps, summed over positions.
    """
    mean = readers.mean(1) if readers.shape[1] > 1 else readers[:, 0]
    return writes.float().transpose(0, 1).flatten(1) @ mean.flatten(1).T
