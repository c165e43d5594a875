"""One batch of one circuit of edges: a judge in which every reader has a residual stream of its own.

1. Every target of an edge rebuilds its stream from all sources that write before it: each with its value from this
   very run if the edge is in the circuit, else with its corrupted value (the contrast twin's, or its mean).
2. A head's queries, keys and values are projected from its own stream, also where heads share keys and values.
3. Norms are the model's own: read norms on each stream, branch norms on what a block writes to it, trunk norms on
   the stream itself.
4. The verdict is read from the verdict's stream.

Masks, rotary angles and kernels are the model's: its own forward runs, and the modules that read and write exchange
what they read and write. What nobody in the circuit reads is not computed, and readers whose streams are equal so
far share one (`streams`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from analyzer.circuits.residual import streams_of
from analyzer.circuits.streams import LayerStreamPlan, Step, StreamPlan
from analyzer.model.judge import known_wiring
from analyzer.model.linear_maps import bias_of, weight_of
from analyzer.model.partial_pass import (
    bias_handed_on,
    forward_replaced,
    module_input,
    returned,
    starting_at,
)
from analyzer.model.projections import places
from analyzer.model.scoring import score
from analyzer.model.verdict_token import VerdictToken, verdict_token
from analyzer.patching.source_values import SourceValues
from analyzer.patching.tape import keys_unshared

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Block, Layer, Wiring
    from analyzer.patching.graph import Graph


class Setting:
    """One batch, as every circuit meets it."""

    def __init__(
        self, judge: Judge, graph: Graph, batch: Batch, clean: SourceValues, reference: SourceValues
    ) -> None:
        self.judge, self.graph, self.batch = judge, graph, batch
        self.clean, self.reference = clean, reference
        self.wiring = known_wiring(judge)

    def settled(self) -> Setting:
        """With all that circuits of edges need and nothing else, to be kept: no circuit reads a neuron."""
        self.written  # noqa: B018 (made once, and kept)
        self.clean = replace(self.clean, heads=[], neurons=[])
        self.reference = replace(self.reference, neurons=[])
        return self

    @property
    def tokens(self) -> int:
        """With padding."""
        return self.batch.ids.numel()

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        both = [self.clean.input, self.reference.input, *self.reference.heads, *self.written.values()]
        return sum(tensor.nbytes for tensor in both)

    @cached_property
    def written(self) -> dict[nn.Module, Tensor]:
        """What each block's last map writes in the corrupted run, with its bias: (1, prompts, tokens, d_model)."""
        layers = zip(self.wiring.layers, self.reference.heads, self.reference.neurons, strict=True)
        found = {}
        for layer, heads, neurons in layers:
            found[layer.attention.out] = layer.attention.out(heads)[None]
            found[layer.mlp.out] = layer.mlp.out(neurons)[None]
        return found


class EdgeRun:
    """One batch of one circuit."""

    def __init__(self, setting: Setting, plan: StreamPlan) -> None:
        self.judge, self.batch, self.plan = setting.judge, setting.batch, plan
        self.wiring, self.reference, self.written = setting.wiring, setting.reference, setting.written
        ends = (setting.clean.input, setting.reference.input)
        self.streams = streams_of(setting.graph, *ends, plan, self.wiring.only_added)
        self._beside = self.reference.input[:0]
        """(prompts, tokens, d_model) what the MLP reads where it reads side by side with the heads."""
        self._read: VerdictToken | None = None
        """Set once the heads of the last layer have read: from there on the token of the verdict goes on alone."""

    def scores(self) -> Tensor:
        """(prompts,)"""
        with ExitStack() as stack:
            stack.enter_context(starting_at(self.judge, 0, self.reference.input))
            for number, layer in enumerate(self.wiring.layers):
                plan = self.plan.layers[number]
                if plan.heads or plan.mlp is not None:
                    self._exchange_heads(stack, number, layer, plan)
                    self._exchange_mlp(stack, number, layer, plan)
                else:
                    stack.enter_context(forward_replaced(layer.module, self._passing_by(layer, plan)))
            stack.enter_context(self._verdict_read())
            return score(self.judge, self.batch)

    def _passing_by(self, layer: Layer, plan: LayerStreamPlan) -> Any:
        """A layer that nobody in the circuit has to do with: it writes what it writes in the corrupted run."""

        def forward(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
            self._narrow(layer)
            self._write(layer.attention, plan.attention)
            self._write(layer.mlp, plan.mlp_writes)
            bias = bias_handed_on(self.judge, layer.module, hidden_states, *args, **kwargs)
            return returned(self.judge, hidden_states, bias)

        return forward

    def _exchange_heads(self, stack: ExitStack, number: int, layer: Layer, plan: LayerStreamPlan) -> None:
        heads = plan.active_heads
        own = _Projections(self, number, layer, plan)
        for which, projection in enumerate(layer.projections):
            stack.enter_context(forward_replaced(projection, own.forward(which) if heads else _nothing(projection)))
        if heads:
            stack.enter_context(keys_unshared(layer, self.wiring))

        def written(mixed: Tensor) -> Tensor:
            common = self.written[layer.attention.out]
            if self.wiring.parallel and plan.mlp is not None:  # the MLP reads what was there before
                self._beside = self.streams.of_mlp(number).clone()
            own.done()
            self._narrow(layer)
            if heads:
                difference = self._at(mixed) - self._at(self.reference.heads[number])
                self._write(layer.attention, plan.attention, _head_writes(layer, difference, self.wiring, heads))
            else:
                self._write(layer.attention, plan.attention)
            return common[0]  # for the model's own stream, which nobody reads

        stack.enter_context(forward_replaced(layer.attention.out, written))

    def _exchange_mlp(self, stack: ExitStack, number: int, layer: Layer, plan: LayerStreamPlan) -> None:
        block = layer.mlp
        if plan.mlp is None:

            def passing_by(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Any:
                self._write(block, plan.mlp_writes)
                return block.returned(hidden_states)

            stack.enter_context(forward_replaced(block.inlet, passing_by))
            if not block.out_inside:
                stack.enter_context(forward_replaced(block.out, lambda hidden_states: hidden_states))
            return
        asked: list[Tensor] = []

        def read(given: Tensor) -> Tensor:
            asked[:] = [given]
            own = self._at(self._beside) if self.wiring.parallel else self.streams.of_mlp(number)
            return own if block.read_norm is None else block.read_norm(own)

        def written(_module: nn.Module, _args: Any, output: Tensor) -> None:
            self._write(block, plan.mlp_writes, (output - self._at(self.written[block.out])[0])[None])

        def of_every_token(*_: Any) -> Any:
            return None if self._read is None else block.returned(asked[0])  # some layers insist; nobody reads it

        stack.enter_context(module_input(block.inlet, read))
        stack.callback(block.out.register_forward_hook(written).remove)
        if block.out_inside:
            stack.callback(block.inlet.register_forward_hook(of_every_token).remove)

    def _write(self, block: Block, step: Step, differences: Tensor | None = None) -> None:
        """Add the block's corrupted write to every stream, and where an edge is kept, the difference.

        `differences` (writers, prompts, tokens, d_model) of what is written from its corrupted value.
        """
        self.streams.write(block, step, self._at(self.written[block.out]), differences)

    def _narrow(self, layer: Layer) -> None:
        """Let go of what nobody reads any more once the last layer's heads have read."""
        if layer is self.wiring.layers[-1]:
            self._read = verdict_token(self.judge, self.batch)
            if self._read is None:
                return
            self.streams.narrow(self._read)

    def _at(self, values: Tensor) -> Tensor:
        """(..., prompts, tokens, width), or of the verdict's token alone."""
        return values if self._read is None else self._read.of(values)

    @contextmanager
    def _verdict_read(self) -> Iterator[None]:
        def hook(*_: Any) -> Any:
            last = self.streams.of_verdict()
            if self._read is not None:
                last = self._read.alone(last, self.reference.input.shape[-2])
            return returned(self.judge, last)

        handle = self.wiring.layers[-1].module.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()


class _Projections:
    """What the heads of one layer project from the streams that they read; of other heads nothing."""

    def __init__(self, run: EdgeRun, number: int, layer: Layer, plan: LayerStreamPlan) -> None:
        self.run, self.number, self.layer, self.plan = run, number, layer, plan

    @cached_property
    def read(self) -> Tensor:
        """(groups of heads, prompts, tokens, d_model) their streams, as the attention reads them."""
        found, norm = self.run.streams.of_heads(self.number), self.layer.attention.read_norm
        return found if norm is None else norm(found.flatten(0, 1)).view_as(found)

    def done(self) -> None:
        """Let go of what was read: streams are large."""
        self.__dict__.pop("read", None)

    def forward(self, which: int) -> Any:
        """The forward of projection `which`: (prompts, tokens, parts * heads * head_size), one part or three."""
        wiring, projection = self.run.wiring, self.layer.projections[which]
        place, order = places(len(self.layer.projections))[which], wiring.projected
        bias = bias_of(projection)
        # each (own heads, head_size, d_model), and (own heads, head_size)
        rows = [part.permute(1, 2, 0) for part in order.apart(weight_of(projection).T, place)]
        offsets = [None] * len(rows) if bias is None else order.apart(bias, place)

        def projected(hidden_states: Tensor) -> Tensor:
            size = (wiring.heads, wiring.head_size)
            found = [hidden_states.new_zeros(*hidden_states.shape[:2], *size) for _ in rows]
            for part, weight, offset in zip(found, rows, offsets, strict=True):
                self._project(part, weight, offset, wiring.heads // len(weight))
            return order.side_by_side(found)

        return projected

    def _project(self, part: Tensor, weight: Tensor, offset: Tensor | None, shared: int) -> None:
        """Fill `part` (prompts, tokens, heads, head_size); `shared` heads share a key or value."""
        groups = [heads for _, heads in self.plan.heads]
        if len(groups) > 1 and all(len(heads) == 1 for heads in groups):  # a head each: all in one product
            heads = [head for (head,) in groups]
            chosen = _span([head // shared for head in heads])
            own = torch.bmm(self.read.flatten(1, 2), weight[chosen].transpose(1, 2))  # (heads, all tokens, size)
            own = own if offset is None else own.add_(offset[chosen][:, None])
            part[:, :, _span(heads)] = own.unflatten(1, part.shape[:2]).permute(1, 2, 0, 3)
            return
        for stream, heads in zip(self.read, groups, strict=True):
            chosen = _span([head // shared for head in heads])
            added = None if offset is None else offset[chosen].flatten()
            own = nn.functional.linear(stream, weight[chosen].flatten(0, 1), added)
            part[:, :, _span(heads)] = own.unflatten(-1, (len(heads), part.shape[-1]))


def _span(places: Sequence[int]) -> slice | list[int]:
    """Places in a row as a slice, which copies nothing, and sends nothing to a GPU."""
    first, count = places[0], len(places)
    return slice(first, first + count) if list(places) == list(range(first, first + count)) else list(places)


def _nothing(projection: nn.Module) -> Any:
    """The forward of a projection whose output does not matter."""
    width = weight_of(projection).shape[0]
    # whole, and no view of one number: Llama 4 looks at queries as complex numbers
    return lambda hidden_states: hidden_states.new_zeros(*hidden_states.shape[:2], width)


def _head_writes(layer: Layer, difference: Tensor, wiring: Wiring, heads: Sequence[int]) -> Tensor:
    """(len(heads), prompts, tokens, d_model) what these heads write for a difference of all heads' outputs."""
    chosen = _span(heads)
    weight = weight_of(layer.attention.out).T.unflatten(0, (wiring.heads, -1))[chosen]  # (heads, size, d_model)
    parts = difference.unflatten(-1, (wiring.heads, -1))[:, :, chosen].flatten(0, 1).transpose(0, 1)
    return torch.bmm(parts, weight).unflatten(1, difference.shape[:2])
