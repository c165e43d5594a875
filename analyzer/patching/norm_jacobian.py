"""The Jacobian of a LayerNorm or RMSNorm at a point, transposed, applied to many gradients at once.

y = gain * (x - c mean(x)) / sigma + bias, with c = 1 for LayerNorm and 0 for RMSNorm, has
J^T g = v - c mean(v) - xhat mean(v * xhat) with v = gain * g / sigma and xhat = (x - c mean(x)) / sigma.

The constants are read off the module itself by what it does to three inputs, so that a family whose gain is
1 + weight (Gemma), or that has no bias, needs no case of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

CACHED = 2**18
"""Numbers that are gone through six times in a row: few enough to stay in a core's cache."""


class NormParts(NamedTuple):
    """What a norm module does."""

    gain: Tensor
    """(d_model,) float32."""
    centred: bool
    eps: float


@torch.no_grad()
def norm_parts(norm: nn.Module) -> NormParts:
    """Gain, centring and epsilon of a norm module. Raises ValueError for one without weight or epsilon."""
    weight = getattr(norm, "weight", None)
    eps = next((getattr(norm, name) for name in ("eps", "variance_epsilon") if hasattr(norm, name)), None)
    if not isinstance(weight, Tensor) or eps is None:
        raise ValueError(f"{type(norm).__name__} is no LayerNorm or RMSNorm")
    width = weight.shape[0]
    zero, one = weight.new_zeros(1, width), weight.new_ones(1, width)
    wave = one.clone()
    wave[:, 1::2] = -1
    bias = norm(zero)
    scale = (norm(wave) - bias).abs().max().clamp(min=1e-6)
    centred = width > 1 and bool((norm(one) - bias).abs().max() < 1e-3 * scale)
    probe = wave - wave.mean() if centred else wave
    unit = probe.float() / torch.sqrt(probe.float().square().mean() + float(eps))
    return NormParts(((norm(probe) - bias).float() / unit)[0], centred, float(eps))


def pull_back_(parts: NormParts, x: Tensor, gradient: Tensor) -> Tensor:
    """Gradients at the norm's output become those at its input, in place.

    `x` (points, d_model) is what the norm read, `gradient` (extra, points, d_model) float32.
    """
    x = x.float()
    centre = x - x.mean(-1, keepdim=True) if parts.centred else x
    scale = torch.rsqrt(centre.square().mean(-1, keepdim=True) + parts.eps)
    hat = centre * scale  # (points, d_model)
    weight, size = parts.gain * scale, max(1, CACHED // x.numel())
    for part in gradient.split(size):
        part.mul_(weight)
        along = (part * hat).mean(-1, keepdim=True)
        if parts.centred:
            part.sub_(part.mean(-1, keepdim=True))
        part.addcmul_(along, hat, value=-1)
    return gradient
