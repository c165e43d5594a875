"""The residual stream at one point of a pass, kept prompt by prompt: what a frozen prefix is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

PREFIX_BUDGET = 2**30
"""Bytes of host memory that all kept prefixes may take; the least recently used go first."""


@dataclass
class Capture:
    """Keeps the residual stream at one point while a pass goes by, unless that takes too much memory."""

    point: int
    limit: int = PREFIX_BUDGET
    """Bytes."""
    streams: dict[int, Tensor] = field(default_factory=dict)
    """Prompt -> (tokens, d_model) on the host; empty once the limit is passed."""
    nbytes: int = 0

    def take(self, rows: Sequence[int], hidden: Tensor, mask: Tensor) -> None:
        """(prompts, tokens, d_model) of the prompts `rows`."""
        real = hidden[mask.bool()]
        self.nbytes += real.nbytes
        if self.nbytes > self.limit:
            self.streams.clear()
            return
        self.streams |= zip(rows, real.cpu().split(mask.sum(1).tolist()), strict=True)
