"""Evaluates any circuit exactly: a judge in which every reader has a residual stream of its own.

1. Every target of an edge rebuilds its stream from all sources that write before it: each with its value from this
   very run if the edge is in the circuit, else with its corrupted value (the contrast twin's, or its mean).
2. A head's queries, keys and values are projected from its own stream, also where heads share keys and values.
3. Norms are the model's own: read norms on each stream, branch norms on what a block writes to it, trunk norms on
   the stream itself.
4. The verdict is read from the verdict's stream.

A source that no path from the input reaches carries its corrupted value, so edges off every path from input to
verdict change nothing and are left out. The whole graph is the judge itself. Masks, rotary angles and kernels are
the model's: its own forward runs, and hooks exchange what the projections and MLPs read and write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.circuit_paths import on_paths
from analyzer.encode import Batch, collate
from analyzer.graph import Graph
from analyzer.passes import score
from analyzer.references import choose_references, reference_values
from analyzer.resample import bootstrap_weights, percentile_interval
from analyzer.sources import SourceValues, head_writes, known_wiring, module_input, source_values
from analyzer.suffix import RETURN_PAIRS, starting_at
from analyzer.tape import keys_unshared

if TYPE_CHECKING:
    from analyzer.context import Context
    from analyzer.judge import Judge
    from analyzer.wiring import Block, Layer

STREAM_BYTES = 256 * 2**20
"""Of all streams of one batch."""
BOOTSTRAPS = 1000
NOTHING = 1e-6
"""Difference of m(full) and m(empty), nats, below which there is nothing that a circuit could keep."""


@dataclass(frozen=True)
class Evaluation:
    """What one circuit keeps."""

    mean: float
    """m(C): mean class-signed score, nats."""
    faithfulness: float
    """(m(C) - m(empty)) / (m(full) - m(empty)), pooled over prompts; NaN where these two are equal."""
    low: float
    high: float
    """95 % bootstrap interval over groups of prompts (a contrast pair is one)."""
    scores: np.ndarray
    """(n,) nats."""


class CircuitEvaluator:
    """Circuits of one judge on the same prompts and references.

    Raises CannotCompute where units are not known or a class is absent. At node level (`graph_level` "nodes") a
    circuit is a mask over sources: what is outside carries its corrupted value for everybody.
    """

    def __init__(self, context: Context, prompts: int = 32) -> None:
        self.context, self.judge = context, context.judge
        wiring = known_wiring(self.judge)
        self.graph = Graph(len(wiring.layers), wiring.heads)
        self.by_edges = wiring.has_edges
        self.references = choose_references(context, prompts)
        self.means = context.with_units(readings=False).unit_means if self.references.kind == "mean" else None
        self.weights = bootstrap_weights(self.references.groups.tolist(), BOOTSTRAPS, context.seed)

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) scores of the judge itself, and with everything corrupted."""
        clean = np.asarray(self.context.forward.scores, dtype=float)
        full = clean[self.references.indices]
        if self.references.kind == "twin":
            return full, clean[self.references.twins]
        shape = self.graph.allowed.shape if self.by_edges else (self.graph.sources,)
        return full, self._scores([np.zeros(shape, dtype=bool)])[0]

    @property
    def full(self) -> float:
        """m(full), nats."""
        return float((self.references.sign * self._ends[0]).mean())

    @property
    def empty(self) -> float:
        """m(empty), nats."""
        return float((self.references.sign * self._ends[1]).mean())

    @property
    def something_to_keep(self) -> bool:
        return abs(self.full - self.empty) > NOTHING

    def evaluate(self, mask: np.ndarray) -> Evaluation:
        """One circuit: `mask` (sources, targets) bool, or (sources,) at node level."""
        return self.evaluate_all([mask])[0]

    def evaluate_all(self, masks: Sequence[np.ndarray]) -> list[Evaluation]:
        """Several circuits in one sweep over the prompts."""
        pruned = [on_paths(mask, self.graph) if self.by_edges else mask for mask in masks]
        whole = [bool((mask == self._everything).all()) for mask in masks]
        trivial = [full or (self.by_edges and not mask.any()) for mask, full in zip(pruned, whole, strict=True)]
        run = [mask for mask, known in zip(pruned, trivial, strict=True) if not known]
        found = iter(self._scores(run) if run else [])
        return [
            self._told(self._ends[0] if full else self._ends[1] if known else next(found))
            for full, known in zip(whole, trivial, strict=True)
        ]

    @property
    def _everything(self) -> np.ndarray:
        return self.graph.allowed if self.by_edges else np.ones(self.graph.sources, dtype=bool)

    def _told(self, scores: np.ndarray) -> Evaluation:
        sign = self.references.sign
        full, empty = (sign * end for end in self._ends)
        kept, whole = sign * scores - empty, full - empty
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(kept.mean() / whole.mean()) if self.something_to_keep else float("nan")
            draws = (self.weights @ kept) / (self.weights @ whole)
        interval = percentile_interval(value, draws) if np.isfinite(value) else None
        return Evaluation(
            mean=float((sign * scores).mean()),
            faithfulness=value,
            low=interval.low if interval else value,
            high=interval.high if interval else value,
            scores=scores,
        )

    @torch.inference_mode()
    def _scores(self, masks: Sequence[np.ndarray]) -> np.ndarray:
        """(masks, n) scores of circuits that are neither whole nor empty."""
        found = np.zeros((len(masks), self.references.n))
        done = 0
        for chosen in self.references.batches(self.context.encoded, self._batch_tokens(masks)):
            prompts = [self.context.encoded[index] for index in self.references.indices[chosen]]
            batch = collate(prompts, self.judge.anatomy.pad_id, self.judge.device)
            clean = source_values(self.judge, batch)
            reference = reference_values(clean, batch.mask, self.references.partners(chosen), self.means)
            setting = Setting(self.judge, self.graph, batch, clean, reference)
            for number, mask in enumerate(masks):
                scores = (_EdgeRun if self.by_edges else _NodeRun)(setting, mask).scores()
                found[number][chosen] = scores.double().cpu().numpy()
                done += len(chosen)
                self.context.progress(done, len(masks) * self.references.n)
        return found

    def _batch_tokens(self, masks: Sequence[np.ndarray]) -> int:
        """Token budget under which the streams of the largest circuit fit `STREAM_BYTES`."""
        if not self.by_edges:
            return self.context.batch_tokens
        readers = max(int(mask.any(0).sum()) for mask in masks) + 2 * self.graph.heads
        width = int(self.judge.model.get_input_embeddings().weight.shape[1])  # type: ignore[union-attr, index]
        return max(1, min(self.context.batch_tokens, STREAM_BYTES // (4 * width * readers)))


class Setting:
    """One batch, as every circuit meets it."""

    def __init__(
        self, judge: Judge, graph: Graph, batch: Batch, clean: SourceValues, reference: SourceValues
    ) -> None:
        self.judge, self.graph, self.batch = judge, graph, batch
        self.clean, self.reference = clean, reference
        self.wiring = known_wiring(judge)

    @cached_property
    def written(self) -> dict[nn.Module, Tensor]:
        """What each block's last map writes in the corrupted run, with its bias: (1, prompts, tokens, d_model)."""
        layers = zip(self.wiring.layers, self.reference.heads, self.reference.neurons, strict=True)
        found = {}
        for layer, heads, neurons in layers:
            found[layer.attention.out] = layer.attention.out(heads)[None]
            found[layer.mlp.out] = layer.mlp.out(neurons)[None]
        return found


class _NodeRun:
    """One batch of one circuit at node level."""

    def __init__(self, setting: Setting, mask: np.ndarray) -> None:
        self.judge, self.graph, self.batch, self.mask = setting.judge, setting.graph, setting.batch, mask
        self.clean, self.reference = setting.clean, setting.reference

    def scores(self) -> Tensor:
        """(prompts,)"""
        graph, wiring = self.graph, known_wiring(self.judge)
        entry = self.clean.input if self.mask[0] else self.reference.input
        with ExitStack() as stack:
            stack.enter_context(starting_at(self.judge, 0, entry))
            for number, layer in enumerate(wiring.layers):
                kept = torch.as_tensor(self.mask[graph.head_sources(number)], device=entry.device)
                columns = kept.repeat_interleave(wiring.head_size)
                stack.enter_context(
                    module_input(layer.attention.out, _chosen(columns, self.reference.heads[number]))
                )
                whole = torch.as_tensor(self.mask[graph.mlp_source(number)], device=entry.device)
                stack.enter_context(module_input(layer.mlp.out, _chosen(whole, self.reference.neurons[number])))
            return score(self.judge, self.batch)


def _chosen(kept: Tensor, reference: Tensor) -> Any:
    return lambda values: torch.where(kept, values, reference)


class _EdgeRun:
    """One batch of one circuit: the streams of all readers that have an edge."""

    def __init__(self, setting: Setting, mask: np.ndarray) -> None:
        self.judge, self.graph, self.batch = setting.judge, setting.graph, setting.batch
        self.wiring, self.reference, self.written = setting.wiring, setting.reference, setting.written
        clean = setting.clean
        active = np.asarray(mask.any(0))
        active[self.graph.verdict] = True
        self.readers = np.flatnonzero(active)
        """Targets with a stream, in the order in which they read; the verdict always has one."""
        self.mask = torch.as_tensor(mask[:, self.readers].T, device=self.batch.ids.device)  # (readers, sources)
        kept = self.mask[:, 0][:, None, None, None]
        self.streams = torch.where(kept, clean.input, self.reference.input)
        """(readers left, prompts, tokens, d_model)"""
        self.first = 0
        """How many readers have read."""

    def scores(self) -> Tensor:
        """(prompts,)"""
        with ExitStack() as stack:
            stack.enter_context(starting_at(self.judge, 0, self.reference.input))
            for number, layer in enumerate(self.wiring.layers):
                self._exchange_heads(stack, number, layer)
                self._exchange_mlp(stack, number, layer)
            stack.enter_context(self._verdict_read())
            return score(self.judge, self.batch)

    def _exchange_heads(self, stack: ExitStack, number: int, layer: Layer) -> None:
        targets = self.graph.head_targets(number)
        place = [int(v) - targets.start for v in self.readers if targets.start <= v < targets.stop]
        if place:
            stack.enter_context(keys_unshared(layer, self.wiring))
            for projection, hook in zip(layer.projections, self._projecting(layer, place), strict=True):
                stack.callback(projection.register_forward_hook(hook).remove)

        def written(mixed: Tensor) -> Tensor:
            values = self.reference.heads[number]
            if place:
                columns = _columns(place, self.wiring.head_size, values.device)
                values = values.clone()
                values[..., columns] = mixed[..., columns]
            self._drop(len(place))
            writes = _head_difference(layer, values, self.reference.heads[number], self.graph.heads, place)
            sources = [self.graph.head_sources(number).start + head for head in place]
            self._write(layer.attention, writes, sources)
            return values

        stack.enter_context(module_input(layer.attention.out, written))

    def _projecting(self, layer: Layer, place: list[int]) -> list[Any]:
        """Hooks that give each head what it projects from its own stream; other heads' do not matter."""
        wiring = self.wiring
        weights = [
            _per_head(projection, wiring.heads, wiring.head_size, number > 0, place)
            for number, projection in enumerate(layer.projections)
        ]
        weight, bias = (torch.cat(parts, -1) for parts in zip(*weights, strict=True))
        columns = np.cumsum([0, *(part[0].shape[-1] for part in weights)])
        known: list[Tensor] = []

        def project() -> Tensor:
            """(heads here, prompts, tokens, all projections side by side): one product for all of them."""
            own = self.streams[: len(place)]
            if layer.attention.read_norm is not None:
                own = layer.attention.read_norm(own)
            return torch.baddbmm(bias, own.flatten(1, 2), weight).unflatten(1, own.shape[1:3])

        def hook(which: int) -> Any:
            def exchanged(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
                if not known:
                    known.append(project())
                mine = known[0][..., columns[which] : columns[which + 1]].unflatten(-1, (-1, wiring.head_size))
                whole = output.new_zeros(*output.shape[:2], mine.shape[-2], wiring.heads, wiring.head_size)
                whole[:, :, :, place] = mine.permute(1, 2, 3, 0, 4)
                return whole.flatten(2)

            return exchanged

        return [hook(which) for which in range(len(layer.projections))]

    def _exchange_mlp(self, stack: ExitStack, number: int, layer: Layer) -> None:
        active = self.graph.mlp_target(number) in self.readers

        def read(given: Tensor) -> Tensor:
            if not active:
                return given
            own = self.streams[0]
            return own if layer.mlp.read_norm is None else layer.mlp.read_norm(own)

        def written(_module: nn.Module, _args: Any, output: Tensor) -> None:
            self._drop(int(active))
            writes = output[None] - self.written[layer.mlp.out] if active else None
            self._write(layer.mlp, writes, [self.graph.mlp_source(number)] if active else [])

        stack.enter_context(module_input(layer.mlp.inlet, read))
        stack.callback(layer.mlp.out.register_forward_hook(written).remove)

    def _write(self, block: Block, writes: Tensor | None, sources: list[int]) -> None:
        """Add the block's corrupted write to every stream, and where an edge is kept, the difference."""
        common, left = self.written[block.out], self.streams
        kept = torch.ones(len(left), 1, device=left.device, dtype=left.dtype)
        if sources and writes is not None:
            kept = torch.cat(
                [kept, self.mask[self.first :, sources].to(left.dtype)], 1
            )  # (readers left, 1 + writers)
            common = torch.cat([common, writes])
        if block.branch_norm is not None:
            left += block.branch_norm((kept @ common.flatten(1)).unflatten(1, common.shape[1:]))
        else:
            left.flatten(1).addmm_(kept, common.flatten(1))  # in place: the streams are large
        if block.trunk_norm is not None:
            self.streams = block.trunk_norm(left)

    def _drop(self, count: int) -> None:
        """Readers that have read need their streams no more."""
        self.streams, self.first = self.streams[count:], self.first + count

    @contextmanager
    def _verdict_read(self) -> Iterator[None]:
        pairs = self.judge.anatomy.family in RETURN_PAIRS
        hook = lambda *_: (self.streams[-1], None) if pairs else self.streams[-1]  # noqa: E731
        handle = self.wiring.layers[-1].module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


def _columns(units: Sequence[int], size: int, device: torch.device) -> Tensor:
    return torch.tensor([unit * size + place for unit in units for place in range(size)], device=device)


def _head_difference(
    layer: Layer, values: Tensor, reference: Tensor, heads: int, place: list[int]
) -> Tensor | None:
    """(heads here, prompts, tokens, d_model) what the patched heads write more than the corrupted ones."""
    if not place:
        return None
    return head_writes(layer, values - reference, heads)[:, :, place].permute(2, 0, 1, 3)


def _per_head(
    projection: nn.Module, heads: int, size: int, shared: bool, place: list[int]
) -> tuple[Tensor, Tensor]:
    """(heads here, d_model, parts * head_size) and (heads here, 1, parts * head_size): weight and bias slices."""
    weight, bias = projection.weight, projection.bias
    assert isinstance(weight, Tensor)  # noqa: S101 (wiring says so)
    rows = weight.shape[0] // size
    count = rows // heads if rows % heads == 0 and not (shared and rows < heads) else 1  # 3 for a fused one
    own = rows // count  # heads of this projection: fewer where keys and values are shared
    chosen = [head // (heads // own) for head in place]
    slices = weight.unflatten(0, (count, own, size))[:, chosen]  # (parts, heads here, size, d_model)
    flat = slices.permute(1, 3, 0, 2).flatten(2)
    if not isinstance(bias, Tensor):
        return flat, weight.new_zeros(len(place), 1, flat.shape[2])
    return flat, bias.unflatten(0, (count, own, size))[:, chosen].permute(1, 0, 2).flatten(1)[:, None]
