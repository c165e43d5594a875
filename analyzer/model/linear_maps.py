"""What counts as a linear map that can be followed, and its weight, whichever way round a family keeps it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D


def is_linear(module: nn.Module | None) -> bool:
    """A `Linear`, or GPT-2's `Conv1D`."""
    return isinstance(module, nn.Linear | Conv1D)


def weight_of(linear: nn.Module) -> Tensor:
    """(outputs, inputs) of a linear map, outside any graph. Raises AttributeError for what has no weight."""
    weight: Any = linear.weight
    return weight.detach().T if isinstance(linear, Conv1D) else weight.detach()


def bias_of(linear: nn.Module) -> Tensor | None:
    """(outputs,) of a linear map, outside any graph."""
    bias = linear.bias
    return bias.detach() if isinstance(bias, Tensor) else None
