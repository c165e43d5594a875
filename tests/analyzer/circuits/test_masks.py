"""Edges ranked by the paths that they are on, against every path written out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from analyzer.circuits.masks import along_paths, mask_of_first, on_paths
from analyzer.patching.graph import Graph

GRAPH = Graph(2, 2)


def every_path(node: int = 0) -> Iterator[list[tuple[int, int]]]:
    """All ways from a source to the verdict, edge by edge."""
    for target in np.flatnonzero(GRAPH.allowed[node]):
        if target == GRAPH.verdict:
            yield [(node, int(target))]
        else:
            for rest in every_path(int(target) + 1):
                yield [(node, int(target)), *rest]


def some_scores(seed: int) -> np.ndarray:
    scores = np.random.default_rng(seed).standard_normal(GRAPH.allowed.shape).astype(np.float32)
    return np.where(GRAPH.allowed, scores, np.nan)


def best_path(strength: np.ndarray) -> np.ndarray:
    """Of each edge: the weakest edge of the best path that it is on."""
    best = np.full(strength.shape, -np.inf)
    for path in every_path():
        weakest = min(strength[edge] for edge in path)
        for edge in path:
            best[edge] = max(best[edge], weakest)
    return best


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("signed", [True, False])
def test_an_edge_ranks_with_the_best_path_that_it_is_on(signed: bool, seed: int) -> None:
    scores = some_scores(seed)
    strength = scores if signed else np.abs(scores)
    best = best_path(strength)
    order = along_paths(scores, signed=signed)
    assert sorted(order) == np.flatnonzero(GRAPH.allowed.ravel()).tolist()
    ranks = list(zip(best.ravel()[order], strength.ravel()[order], strict=True))
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_of_the_first_are_whole_paths(seed: int) -> None:
    """Every edge of a circuit that ends between two different ranks lies on a path from input to verdict."""
    scores = some_scores(seed)
    order = along_paths(scores, signed=False)
    ranks = best_path(np.abs(scores)).ravel()[order]
    ends = [count for count in range(1, len(order)) if ranks[count - 1] != ranks[count]]
    assert len(ends) > 5
    for count in ends:
        mask = mask_of_first(order, count, scores.shape)
        assert (on_paths(mask, GRAPH) == mask).all()


def test_nodes_are_ranked_as_they_are() -> None:
    assert along_paths(np.array([9.0, -3.0, 2.0]), signed=False).tolist() == [0, 1, 2]
    assert along_paths(np.array([9.0, -3.0, 2.0]), signed=True).tolist() == [0, 2, 1]
