"""Which drawn edges a reader looks at: the strong ones, and those on a path through one node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.figures.circuits.kinds import ELSEWHERE, DrawnEdge


def chosen_edges(edges: Sequence[DrawnEdge], least: float, node: str) -> list[DrawnEdge]:
    """The edges of at least the share `least` of the strongest |score|; those on no path through `node` faint.

    An empty `node`, or one that no edge touches, fades none.
    """
    limit = least * max((abs(edge.score) for edge in edges), default=0.0)
    strong = [edge for edge in edges if abs(edge.score) >= limit]
    if not any(node in (edge.source, edge.target) for edge in strong):
        return strong
    before = {node} | _reached(node, [(edge.target, edge.source) for edge in strong])
    after = {node} | _reached(node, [(edge.source, edge.target) for edge in strong])
    return [
        edge if edge.target in before or edge.source in after else replace(edge, kind=ELSEWHERE) for edge in strong
    ]


def _reached(start: str, steps: Sequence[tuple[str, str]]) -> set[str]:
    """What can be reached from `start` by `steps`; not `start` itself."""
    following: dict[str, list[str]] = {}
    for here, there in steps:
        following.setdefault(here, []).append(there)
    seen: set[str] = set()
    open_ends = [start]
    while open_ends:
        for there in following.get(open_ends.pop(), []):
            if there not in seen:
                seen.add(there)
                open_ends.append(there)
    return seen
