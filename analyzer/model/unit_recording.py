"""Heads and neurons in the one hooked pass: each neuron's reading of every prompt, and unit means by token role.

A unit is read where its block's last linear map reads it (`wiring.Block.out`): a neuron is one number a token, a
head `head_size` of them. Reduced on the device in float32 as each layer finishes; one batch leaves
(prompts x neurons) and (3 x units) numbers a layer, whatever its tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from analyzer.model.anatomy import Reading
    from analyzer.model.wiring import Layer

ROLES = 3
"""First, last, and other tokens of a prompt."""
PADDING = 3
"""Role of what is no token."""


@dataclass(frozen=True)
class UnitMeans:
    """Mean activation over all probe prompts' real tokens by role: first, last, others (axis -2); float32.

    A role that no token of the probe set has is zero, and never asked for.
    """

    input: np.ndarray
    """(3, d_model) the residual stream that layer 0 reads."""
    heads: np.ndarray
    """(layers, 3, heads * head_size)"""
    neurons: np.ndarray
    """(layers, 3, neurons)"""


def token_roles(mask: Tensor) -> Tensor:
    """(prompts, tokens) mask, padded on either side -> (prompts, tokens) long: 0 first, 1 last, 2 other, 3 padding.

    The only token of a prompt is its first.
    """
    place = mask.cumsum(1) * mask  # 1, 2, ... on real tokens
    roles = torch.full_like(mask, 2, dtype=torch.long)
    roles[place == mask.sum(1, keepdim=True)] = 1
    roles[place == 1] = 0
    roles[mask == 0] = PADDING
    return roles


@dataclass
class UnitRecording:
    """Reductions of one batch, layer by layer."""

    mask: Tensor
    reading: Reading
    readings_wanted: bool
    input_sums: list[Tensor] = field(default_factory=list)
    """One (3, d_model), summed over tokens of each role."""
    head_sums: list[Tensor] = field(default_factory=list)
    """(3, heads * head_size) a layer."""
    neuron_sums: list[Tensor] = field(default_factory=list)
    """(3, neurons) a layer."""
    readings: list[Tensor] = field(default_factory=list)
    """(prompts, neurons) a layer."""

    def __post_init__(self) -> None:
        roles = token_roles(self.mask)
        self.indicator = torch.stack([roles == role for role in range(ROLES)], 1).float()  # (prompts, 3, tokens)
        self.counts = self.indicator.sum((0, 2))  # (3,)
        self.padded = bool((self.mask == 0).any())
        self.floor = torch.zeros(self.mask.shape, device=self.mask.device).masked_fill(self.mask == 0, -torch.inf)
        self.floor = self.floor[..., None]  # (prompts, tokens, 1)

    def input(self, hidden: Tensor) -> None:
        self.input_sums.append(torch.bmm(self.indicator, hidden.float()).sum(0))

    def heads(self, values: Tensor) -> None:
        self.head_sums.append(torch.bmm(self.indicator, values.float()).sum(0))

    def neurons(self, values: Tensor) -> None:
        sums = torch.bmm(self.indicator, values.float())  # (prompts, 3, neurons)
        self.neuron_sums.append(sums.sum(0))
        if self.readings_wanted and self.reading == "mean":
            self.readings.append(sums.sum(1) / self.mask.sum(1, keepdim=True))
        elif self.readings_wanted:
            real = values + self.floor.to(values.dtype) if self.padded else values
            self.readings.append(real.amax(1).float())

    def sums(self) -> dict[str, Tensor]:
        """(1 or layers, 3, units) sums over tokens of each role."""
        parts = {"input": self.input_sums, "heads": self.head_sums, "neurons": self.neuron_sums}
        return {name: torch.stack(values) for name, values in parts.items() if values}


@contextmanager
def units_recorded(recording: UnitRecording, layers: tuple[Layer, ...]) -> Iterator[None]:
    """Hooks on the last linear map of both blocks of these layers."""
    with ExitStack() as stack:
        for layer in layers:
            for module, take in ((layer.attention.out, recording.heads), (layer.mlp.out, recording.neurons)):
                stack.callback(module.register_forward_pre_hook(_taking(take)).remove)
        yield


def _taking(take: Any) -> Any:
    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
        take(args[0])

    return hook
