"""What counts as a norm that can be followed."""

from __future__ import annotations

from torch import Tensor, nn


def is_norm(module: nn.Module) -> bool:
    """A LayerNorm or RMSNorm with a gain."""
    has_epsilon = any(hasattr(module, name) for name in ("eps", "variance_epsilon"))
    gain = getattr(module, "weight", None)
    return has_epsilon and isinstance(gain, Tensor) and gain.ndim == 1
