"""The graph in which circuits are found: who writes to the residual stream, and who reads from it.

Sources, in the order in which they write: the input, then of each layer its heads and its MLP. Targets, in the
order in which they read: of each layer its heads and its MLP, then the verdict. An edge leads from a source to
every target that reads after it has written; a head reads through its own query, key and value together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Graph:
    """Sources and targets of a model of two blocks a layer: attention, then MLP, or both side by side."""

    layers: int
    heads: int
    parallel: bool = False
    """Whether an MLP reads what the heads of its own layer read, and so nothing of what they write."""

    @property
    def width(self) -> int:
        """Nodes of one layer."""
        return self.heads + 1

    @property
    def sources(self) -> int:
        """1 + layers x (heads + 1): source 0 is the input."""
        return 1 + self.layers * self.width

    @property
    def targets(self) -> int:
        """layers x (heads + 1) + 1: the last target is the verdict."""
        return self.layers * self.width + 1

    def head_sources(self, layer: int) -> slice:
        start = 1 + layer * self.width
        return slice(start, start + self.heads)

    def mlp_source(self, layer: int) -> int:
        return 1 + layer * self.width + self.heads

    def head_targets(self, layer: int) -> slice:
        start = layer * self.width
        return slice(start, start + self.heads)

    def mlp_target(self, layer: int) -> int:
        return layer * self.width + self.heads

    @property
    def verdict(self) -> int:
        return self.layers * self.width

    @cached_property
    def allowed(self) -> np.ndarray:
        """(sources, targets) bool: which edges there are."""
        edges = np.zeros((self.sources, self.targets), dtype=bool)
        for layer in range(self.layers):
            heads = self.head_targets(layer)
            edges[: self.head_sources(layer).start, heads] = True
            last = self.head_sources(layer).start if self.parallel else self.mlp_source(layer)
            edges[:last, self.mlp_target(layer)] = True
        edges[:, self.verdict] = True
        return edges

    @property
    def edges(self) -> int:
        return int(self.allowed.sum())

    def source_name(self, source: int) -> str:
        """ "input", "L3.H5" or "L3.MLP"."""
        return "input" if source == 0 else self._name(source - 1)

    def target_name(self, target: int) -> str:
        """ "L3.H5", "L3.MLP" or "verdict"."""
        return "verdict" if target == self.verdict else self._name(target)

    def _name(self, node: int) -> str:
        layer, place = divmod(node, self.width)
        return f"L{layer}.MLP" if place == self.heads else f"L{layer}.H{place}"
