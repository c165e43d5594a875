"""One differentiable forward pass with every place marked at which a gradient is wanted.

The pass begins at the residual stream that layer 0 reads, given by the caller. For edges, each MLP reads a copy of
the stream of its own, and each head its own queries, keys and values (also where heads share keys and values), so
that the gradient there is that of this one reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from analyzer.model.judge import known_wiring
from analyzer.model.linear_maps import is_linear
from analyzer.model.partial_pass import hidden_of, starting_at
from analyzer.model.projections import Projections, places

if TYPE_CHECKING:
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Block, Layer, Wiring


@dataclass
class Tape:
    """What was marked; one entry a layer unless said otherwise. Tensors of `gradient_points` carry the graph."""

    heads: list[Tensor] = field(default_factory=list)
    """(rows, tokens, heads * head_size)"""
    neurons: list[Tensor] = field(default_factory=list)
    projections: list[list[Tensor]] = field(default_factory=list)
    """Query, key, value (rows, tokens, heads * head_size), or one fused."""
    mlp_inputs: list[Tensor] = field(default_factory=list)
    """(rows, tokens, d_model) the MLP's own copy of the stream, before its read norm; after it where the attention
    reads through the same one."""
    last: list[Tensor] = field(default_factory=list)
    """One: (rows, tokens, d_model) the stream after the last layer."""
    norm_inputs: dict[nn.Module, Tensor] = field(default_factory=dict)
    """Norm -> what it read, without a graph."""

    def gradient_points(self) -> list[Tensor]:
        """Everything that is differentiated, in a fixed order: heads, neurons, then what edges need."""
        flat = [tensor for group in self.projections for tensor in group]
        return [*self.heads, *self.neurons, *flat, *self.mlp_inputs, *self.last]


@contextmanager
def taped(judge: Judge, entry: Tensor, *, edges: bool) -> Iterator[Tape]:
    """Inside, one call of the judge fills the tape; `entry` (rows, tokens, d_model) is what layer 0 reads."""
    wiring = known_wiring(judge)
    tape = Tape()
    with ExitStack() as stack:
        stack.enter_context(starting_at(judge, 0, entry))
        for layer in wiring.layers:
            stack.callback(layer.attention.out.register_forward_pre_hook(_keep(tape.heads)).remove)
            stack.callback(layer.mlp.out.register_forward_pre_hook(_keep(tape.neurons)).remove)
            if edges:
                _mark_readers(layer, wiring, tape, stack)
        if edges:
            hook = lambda _module, _args, output: tape.last.append(hidden_of(output))  # noqa: E731
            stack.callback(wiring.layers[-1].module.register_forward_hook(hook).remove)
        yield tape


def _mark_readers(layer: Layer, wiring: Wiring, tape: Tape, stack: ExitStack) -> None:
    group: list[Tensor] = []
    tape.projections.append(group)
    for place, projection in zip(places(len(layer.projections)), layer.projections, strict=True):
        stack.callback(projection.register_forward_hook(_own_copy(group, wiring.projected, place)).remove)
    stack.enter_context(keys_unshared(layer, wiring))
    reader = layer.mlp.inlet if layer.one_norm else layer.mlp.read_norm or layer.mlp.inlet
    stack.callback(reader.register_forward_pre_hook(_own_input(tape.mlp_inputs)).remove)
    for block in (layer.attention, layer.mlp):
        for norm in norms_of(block):
            stack.callback(norm.register_forward_pre_hook(_note(tape.norm_inputs), prepend=True).remove)


def norms_of(block: Block) -> list[nn.Module]:
    """The norms that a block has."""
    return [norm for norm in (block.read_norm, block.branch_norm, block.trunk_norm) if norm is not None]


@contextmanager
def keys_unshared(layer: Layer, wiring: Wiring) -> Iterator[None]:
    """Let the attention take one key and value a query head, as the projections' hooks give them."""
    if wiring.kv_heads == wiring.heads:
        yield
        return
    attention: Any = layer.attention.inlet
    # the second is where an attention cuts a fused projection into its parts (Phi-3)
    own = {"num_key_value_groups": 1, "num_key_value_heads": wiring.heads}
    before = {name: getattr(attention, name) for name in own if hasattr(attention, name)}
    for name in before:
        setattr(attention, name, own[name])
    gains = {module: module._parameters["weight"] for module in attention.modules() if _each_key(module, wiring)}
    for module, gain in gains.items():
        module._parameters["weight"] = nn.Parameter(_repeated(gain, wiring), requires_grad=False)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(attention, name, value)
        for module, gain in gains.items():
            module._parameters["weight"] = gain


def _each_key(module: nn.Module, wiring: Wiring) -> bool:
    """Whether a module norms keys with a gain of its own for each of them (Cohere)."""
    gain = module._parameters.get("weight")
    return gain is not None and not is_linear(module) and gain.shape == (wiring.kv_heads, wiring.head_size)


def _repeated(gain: Any, wiring: Wiring) -> Tensor:
    return gain.detach().repeat_interleave(wiring.heads // wiring.kv_heads, 0)


def _own_copy(kept: list[Tensor], projected: Projections, place: int | None) -> Any:
    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        if place != 0 and projected.kv_heads < projected.heads:
            output = projected.side_by_side(projected.all_heads(projected.apart(output, place)))
        kept.append(output)
        return output

    return hook


def _own_input(kept: list[Tensor]) -> Any:
    def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        kept.append(args[0].view_as(args[0]))
        return (kept[-1], *args[1:])

    return hook


def _note(kept: dict[nn.Module, Tensor]) -> Any:
    def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
        kept[module] = args[0].detach()

    return hook


def _keep(kept: list[Tensor]) -> Any:
    return lambda _module, args: kept.append(args[0])
