"""How the heads' queries, keys and values lie in what the projections of an attention give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Order = Literal["by_part", "by_head"]


class Projections(NamedTuple):
    """Three projections (query, key, value), or one fused."""

    heads: int
    kv_heads: int
    head_size: int
    fused: Order

    def apart(self, values: Tensor, place: int | None, kv_heads: int | None = None) -> list[Tensor]:
        """(..., width) of one projection -> its parts, each (..., own heads, head_size).

        `place` is 0 for the query, 1 for the key, 2 for the value projection, None for a fused one, which gives all
        three. `kv_heads`: as many keys and values as the values hold, when not as many as the model has.
        """
        if place is not None:
            return [values.unflatten(-1, (-1, self.head_size))]
        if self.fused == "by_head":
            return list(values.unflatten(-1, (self.heads, 3, self.head_size)).unbind(-2))
        shared = self.kv_heads if kv_heads is None else kv_heads
        widths = [count * self.head_size for count in (self.heads, shared, shared)]
        return [part.unflatten(-1, (-1, self.head_size)) for part in values.split(widths, -1)]

    def side_by_side(self, parts: Sequence[Tensor]) -> Tensor:
        """The parts of one projection, each (..., heads, head_size), as it gives them: (..., width)."""
        if len(parts) > 1 and self.fused == "by_head":
            return torch.stack(list(parts), -2).flatten(-3)
        return torch.cat([part.flatten(-2) for part in parts], -1)

    def all_heads(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Keys and values repeated, so that every query head has its own."""
        return [
            part if part.shape[-2] == self.heads else part.repeat_interleave(self.heads // part.shape[-2], -2)
            for part in parts
        ]


def places(count: int) -> list[int | None]:
    """What to call each of `count` projections: 0, 1, 2, or None for one that is fused."""
    return [None] if count == 1 else list(range(count))
