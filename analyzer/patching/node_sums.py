"""Class-signed integrated effects of whole nodes, part by part: each head, and all neurons of an MLP together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analyzer.patching.parts import PartScores

if TYPE_CHECKING:
    from torch import Tensor

    from analyzer.patching.graph import Graph


class NodeSums:
    """Sums over the prompts seen so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sums: dict[int, np.ndarray] = {}
        self.prompts: dict[int, int] = {}

    def count(self, part: np.ndarray, each: int = 1) -> None:
        """(rows,) parts of a batch's rows, each of which stands for `each` prompts."""
        for number in part.tolist():
            self.sums.setdefault(number, np.zeros(self.graph.sources))
            self.prompts[number] = self.prompts.get(number, 0) + each

    def add(self, layer: int, signed: Tensor, part: np.ndarray, *, heads: bool) -> None:
        """(rows, heads) effects of the layer's heads, or (rows, neurons) of its MLP's neurons."""
        place = self.graph.head_sources(layer) if heads else self.graph.mlp_source(layer)
        values = (signed if heads else signed.sum(1)).double().cpu().numpy()
        for number, row in zip(part.tolist(), values, strict=True):
            self.sums[number][place] += row

    def finished(self) -> PartScores:
        numbers = sorted(self.sums)
        return PartScores(
            np.array(numbers),
            np.stack([self.sums[number] for number in numbers]).astype(np.float32),
            np.array([self.prompts[number] for number in numbers]),
        )
