"""The model in another floating-point precision for a while, its weights left as they are.

Every call of torch sees its floating-point tensors in the wanted precision, converted as they are used, and a
precision that the model's code names (a norm or a softmax "in float32") is the wanted one, too. So one weight at a
time is held twice, never the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

COMPUTED = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
METHODS = {Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16}
"""Tensor methods that are named after what they convert to."""


class ComputedIn(TorchFunctionMode):
    """Inside, the model computes in `dtype` whatever its weights are; for passes without gradients."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in METHODS:
            return args[0].to(self.dtype)
        if func is torch.nn.functional.embedding:  # looks rows up: no arithmetic, and a large table
            return self._converted(func(*args, **(kwargs or {})))
        found = func(*self._converted(args), **self._converted(kwargs or {}))
        return self._converted(found)

    def _converted(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(self.dtype) if value.dtype in COMPUTED else value
        if isinstance(value, torch.dtype):
            return self.dtype if value in COMPUTED else value
        if isinstance(value, tuple | list) and type(value) in (tuple, list):
            return type(value)(self._converted(each) for each in value)
        if isinstance(value, dict):
            return {name: self._converted(each) for name, each in value.items()}
        return value
