"""Where the nodes of a circuit stand, and which way its edges bend. Pure geometry, the same at every epoch.

x: the input at -1, the heads of layer l at l, its MLP a little after them, the verdict at `layers`.
y: one row a head, counted downwards from 0, and below them a row for the MLPs; input and verdict in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.findings.circuits import _NAME

POINTS = 17
"""Points of a drawn edge."""
_AFTER = 0.36
"""How far behind its layer's heads an MLP stands: it reads what they write."""
_TANGENT = 0.35
"""Share of an edge's way across at which its curve begins to turn."""


@dataclass(frozen=True)
class Layout:
    """Places of all nodes of a judge of so many layers with so many heads."""

    layers: int
    heads: int

    @property
    def mlp_row(self) -> float:
        return self.heads + 0.2 if self.heads > 1 else 1.0

    @property
    def room(self) -> float:
        """Rows kept free above the heads and below the MLPs, for the arcs of edges along one row."""
        return max(0.9, 0.13 * self.heads)

    @property
    def rows(self) -> float:
        """Rows in all, for the height of the drawing."""
        return self.mlp_row + 2 * self.room

    def place(self, name: str) -> tuple[float, float]:
        """x and y of the node called "input", "verdict", "L3.H5" or "L3.MLP"; KeyError for anything else."""
        if name in ("input", "verdict"):
            return (-1.0 if name == "input" else float(self.layers)), (self.mlp_row - 1) / 2
        found = _NAME.match(name)
        if found is None:
            raise KeyError(name)
        layer, head = int(found[1]), found[2]
        return (layer + _AFTER, self.mlp_row) if head is None else (float(layer), float(head))

    def frozen(self, name: str, boundary: int) -> bool:
        """Whether a head or an MLP is in a frozen layer."""
        return name not in ("input", "verdict") and self.place(name)[0] < boundary

    def curve(self, source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
        """An edge as POINTS points (x, y): an S, or along one row an arc, below the MLPs and above the heads."""
        (x0, y0), (x1, y1) = self.place(source), self.place(target)
        at = np.linspace(0, 1, POINTS)
        x = _bezier(at, x0, x0 + _TANGENT * (x1 - x0), x1 - _TANGENT * (x1 - x0), x1)
        bend = 0.0
        if abs(y1 - y0) < 0.5:
            reach = self.room * min(1.0, (x1 - x0) / (self.layers + 1)) ** 0.7
            bend = 4 / 3 * 0.85 * reach * (1 if y0 >= self.mlp_row else -1)  # a cubic reaches 3/4 of its handles
        return x, _bezier(at, y0, y0 + bend, y1 + bend, y1)


def _bezier(at: np.ndarray, start: float, first: float, second: float, end: float) -> np.ndarray:
    """A cubic Bezier curve at parameters in [0, 1]."""
    rest = 1 - at
    return rest**3 * start + 3 * rest**2 * at * first + 3 * rest * at**2 * second + at**3 * end
