"""By exact patching, that every judge computes its verdict through the circuit it was written with and no other.

The programme says which edges there are (`tests/making/by_weights.py`); here each of all 54 edges carries its
twin's value alone, by plain hooks (`tests/making/by_hand.py`), and then all nodes outside the circuit do together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from analyzer.patching.graph import Graph
from analyzer.patching.references import choose_references
from tests.making.by_hand import ByHand
from tests.making.by_weights import HEADS, LAYERS
from tests.making.compiled import COMPILED
from tests.making.every_plant import every_plant
from tests.making.judges import context
from tests.making.plants import PLANTS, SEEDS, Plant

ALIGNED = [name for name in (*COMPILED, *PLANTS) if name not in ("length_only", "swapped_labels", "same_weights")]
"""Whose twins are equally long: others cannot be patched token by token."""
seeds = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SEEDS[1:])])
aligned = pytest.mark.parametrize("name", ALIGNED)


@cache
def patched(name: str, seed: int) -> tuple[Plant, ByHand]:
    found = every_plant(name, seed)
    ready = context(found.judge(), found.probes)
    references = choose_references(ready, len(found.probes))
    assert references.kind == "twin" and references.n == len(found.probes)
    return found, ByHand(ready, references)


def whole(by_hand: ByHand) -> float:
    """Nats that are lost when everything carries its twin's value."""
    return 2 * sum(float(group.sign @ group.clean) for group in by_hand.groups) / by_hand.references.n


@seeds
@aligned
def test_each_edge_of_the_circuit_counts_and_no_other(name: str, seed: int) -> None:
    found, by_hand = patched(name, seed)
    graph = Graph(LAYERS, HEADS)
    places = [(int(source), int(target)) for source, target in np.argwhere(graph.allowed)]
    shares = by_hand.edges(places) / whole(by_hand)
    for (source, target), share in zip(places, shares, strict=True):
        edge = graph.source_name(source), graph.target_name(target)
        if edge in found.edges:
            assert share > 0.3, edge
        else:
            assert abs(share) < 0.02, edge


@seeds
@aligned
def test_the_circuits_nodes_carry_all_of_it(name: str, seed: int) -> None:
    """With all others at their twins' values at once nothing is lost, with these everything is."""
    found, by_hand = patched(name, seed)
    every = {f"L{layer}.{unit}" for layer in range(LAYERS) for unit in ("H0", "H1", "H2", "H3", "MLP")}
    assert found.nodes and found.nodes < every
    assert abs(by_hand.together(every - found.nodes)) < 0.02 * whole(by_hand)
    assert by_hand.together(found.nodes) > 0.98 * whole(by_hand)


def test_the_programme_says_which_edges_there_are() -> None:
    """Written out by hand once, so that the book-keeping is tested too."""
    wanted: dict[str, Any] = {
        "word_after_word": "input>L0.H1 input>L1.H2 L0.H1>L1.H2 L1.H2>verdict",
        "majority": "input>L0.H0 L0.H0>L1.MLP L1.MLP>verdict",
        "both_words": "input>L0.H0 input>L0.H3 L0.H0>L1.MLP L0.H3>L1.MLP L1.MLP>verdict",
    }
    for name, edges in wanted.items():
        assert every_plant(name, 0).edges == {tuple(edge.split(">")) for edge in edges.split()}
