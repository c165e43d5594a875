"""Circuits as masks: which edges lie on a path from input to verdict, and which sizes are looked at."""

from __future__ import annotations

import numpy as np

from analyzer.patching.graph import Graph

FRACTIONS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Sizes of circuits as shares of all edges (MIB, Mueller et al. 2025, arXiv 2504.13151)."""


def on_paths(mask: np.ndarray, graph: Graph) -> np.ndarray:
    """The edges of `mask` (sources, targets) that lie on a path from the input to the verdict."""
    mask = mask & graph.allowed
    reached = np.zeros(graph.sources, dtype=bool)
    reached[0] = True
    for source in range(1, graph.sources):  # in the order of writing: target s - 1 is the same node as source s
        reached[source] = bool((mask[:, source - 1] & reached).any())
    leads = np.zeros(graph.targets, dtype=bool)
    leads[graph.verdict] = True
    for target in reversed(range(graph.verdict)):
        leads[target] = bool((mask[target + 1] & leads).any())
    return mask & reached[:, None] & leads[None]


def nodes_on(mask: np.ndarray) -> int:
    """Heads and MLPs that a circuit uses."""
    return int((mask[1:].any(1) | mask[:, :-1].any(0)).sum())


def circuit_sizes(total: int) -> list[int]:
    """Numbers of edges at `FRACTIONS`, at least 1, none twice."""
    return sorted({max(1, round(fraction * total)) for fraction in FRACTIONS})


def ranked(scores: np.ndarray, *, signed: bool) -> np.ndarray:
    """Flat places of the scored edges (or nodes), best first; NaN is no edge. Ties keep the graph's order."""
    flat = scores.ravel()
    keys = flat if signed else np.abs(flat)
    order = np.argsort(-np.where(np.isfinite(keys), keys, -np.inf), kind="stable")
    return order[: int(np.isfinite(flat).sum())]


def along_paths(scores: np.ndarray, *, signed: bool) -> np.ndarray:
    """Flat places of the scored edges, so that any number of the first make whole paths: those with the strongest
    weakest edge first.

    An edge ranks with the best path from input to verdict that it is on, and a path is as strong as its weakest
    edge; equal ones by their own score. Among the n strongest edges alone many lead nowhere. At node level every
    node is on a path of its own, and this is `ranked`.
    """
    if scores.ndim == 1:
        return ranked(scores, signed=signed)
    own = np.where(np.isfinite(scores), scores if signed else np.abs(scores), -np.inf)
    into = np.full(len(own), np.inf)  # of each source: the strongest way to it from the input
    for source in range(1, len(own)):  # target s - 1 is the same node as source s
        into[source] = np.minimum(into[:source], own[:source, source - 1]).max()
    onward = np.full(own.shape[1], np.inf)  # of each target: the strongest way from it to the verdict
    for target in reversed(range(own.shape[1] - 1)):
        onward[target] = np.minimum(onward[target + 1 :], own[target + 1, target + 1 :]).max()
    weakest = np.minimum(np.minimum(into[:, None], own), onward[None])
    order = np.lexsort((np.arange(own.size), -own.ravel(), -weakest.ravel()))
    return order[: int(np.isfinite(scores).sum())]


def mask_of_first(order: np.ndarray, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of the first `count` of an order."""
    mask = np.zeros(int(np.prod(shape)), dtype=bool)
    mask[order[:count]] = True
    return mask.reshape(shape)


def random_masks(scores: np.ndarray, count: int, draws: int, random: np.random.Generator) -> list[np.ndarray]:
    """Random circuits of `count` edges."""
    places = np.flatnonzero(np.isfinite(scores.ravel()))
    return [mask_of_first(random.permutation(places), count, scores.shape) for _ in range(draws)]


def area(fractions: np.ndarray, values: np.ndarray) -> float:
    """Area under values over fractions 0 to 1, trapezoids between the sizes; both begin at fraction 0."""
    return float(np.trapezoid(values, fractions))
