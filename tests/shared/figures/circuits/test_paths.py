"""The edges that a reader looks at."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shared.figures.circuits.kinds import CORE, ELSEWHERE, DrawnEdge
from shared.figures.circuits.paths import chosen_edges

ROUTES = (("input", "a", "b", "verdict"), ("input", "c", "verdict"), ("c", "b"), ("a", "d"))
EDGES = [
    DrawnEdge(source, target, score, CORE)
    for score, (source, target) in enumerate(
        dict.fromkeys(edge for route in ROUTES for edge in pairwise(route)), start=1
    )
]


def paths_through(node: str) -> set[tuple[str, str]]:
    """By walking every path from every node, instead of forwards and backwards from one."""
    following = {
        name: [e.target for e in EDGES if e.source == name] for e in EDGES for name in (e.source, e.target)
    }

    def walk(path: tuple[str, ...]) -> list[tuple[str, ...]]:
        return [path, *(longer for there in following[path[-1]] for longer in walk((*path, there)))]

    return {edge for start in following for path in walk((start,)) if node in path for edge in pairwise(path)}


@pytest.mark.parametrize("node", ["a", "b", "c", "d", "input", "verdict"])
def test_what_lies_on_a_path_through_the_node_keeps_its_look(node: str) -> None:
    kept = {(e.source, e.target) for e in chosen_edges(EDGES, 0.0, node) if e.kind != ELSEWHERE}
    assert kept == paths_through(node)


def test_weak_edges_are_left_out_and_a_node_without_edges_fades_none() -> None:
    assert [e.score for e in chosen_edges(EDGES, 0.5, "")] == [e.score for e in EDGES if e.score >= len(EDGES) / 2]
    assert all(e.kind == CORE for e in chosen_edges(EDGES, 0.0, "L9.H9"))
    assert chosen_edges([], 0.5, "a") == []
