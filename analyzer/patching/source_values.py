"""What every source of the graph writes: the input, each head, each neuron, read in one plain hooked forward pass.

A head is read at the input of its attention output projection, neurons at the input of the MLP's down projection.
Both projections are linear, so a difference of activations is written as the projection of the difference, without
the bias: that is the write of one head (its slice of the projection), and of one MLP (all its neurons).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from analyzer.model.judge import known_wiring
from analyzer.model.linear_maps import weight_of
from analyzer.model.partial_pass import layer_input, module_input, without_layers
from analyzer.model.scoring import score
from analyzer.model.seam import Seam

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Layer


@dataclass(frozen=True)
class SourceValues:
    """Activations of one batch, in the model's precision, or what stands for them elsewhere (references)."""

    input: Tensor
    """(prompts, tokens, d_model) the residual stream that layer 0 reads."""
    heads: list[Tensor]
    """One (prompts, tokens, heads * head_size) a layer."""
    neurons: list[Tensor]
    """One (prompts, tokens, neurons) a layer."""


@torch.inference_mode()
def source_values(judge: Judge, batch: Batch) -> SourceValues:
    """One forward pass of a batch. Raises CannotCompute where heads and neurons are not known."""
    wiring = known_wiring(judge)
    first: list[Tensor] = []
    heads: list[Tensor] = []
    neurons: list[Tensor] = []
    with ExitStack() as stack:
        stack.enter_context(layer_input(judge, first.append))
        for layer in wiring.layers:
            stack.enter_context(module_input(layer.attention.out, heads.append))
            stack.enter_context(module_input(layer.mlp.out, neurons.append))
        score(judge, batch)
    return SourceValues(first[0], heads, neurons)


@torch.inference_mode()
def entry_stream(judge: Judge, batch: Batch) -> Tensor:
    """(prompts, tokens, d_model) the residual stream that layer 0 reads; no layer runs."""
    first: list[Tensor] = []
    with layer_input(judge, first.append), without_layers(judge, range(judge.anatomy.depth)):
        score(judge, batch)
    return first[0]


def head_writes(layer: Layer, mixed: Tensor, heads: int) -> Tensor:
    """What each head writes: (..., tokens, heads * head_size) -> (..., tokens, heads, d_model), without the bias.

    Before any branch norm, times the block's scale. For a difference of activations it is the difference of writes.
    """
    weight = weight_of(layer.attention.out)  # (d_model, heads * head_size)
    by_head = weight.T.view(heads, -1, weight.shape[0]).to(mixed.dtype)  # (heads, head_size, d_model)
    parts = mixed.reshape(-1, heads, by_head.shape[1]).transpose(0, 1)  # (heads, all tokens, head_size)
    writes = torch.bmm(parts, by_head).transpose(0, 1) * layer.attention.scale
    return writes.reshape(*mixed.shape[:-1], heads, weight.shape[0])


def mlp_write(layer: Layer, neurons: Tensor) -> Tensor:
    """What the MLP writes: (..., tokens, neurons) -> (..., tokens, d_model), without the bias, before any norm,
    times the block's scale."""
    out = layer.mlp.out
    written = neurons if isinstance(out, Seam) else nn.functional.linear(neurons, weight_of(out).to(neurons.dtype))
    return written * layer.mlp.scale
