"""Who writes, who reads, and what they are called: two layers of two heads, written out."""

from __future__ import annotations

import numpy as np

from analyzer.patching.graph import Graph

GRAPH = Graph(2, 2)
SOURCES = ["input", "L0.H0", "L0.H1", "L0.MLP", "L1.H0", "L1.H1", "L1.MLP"]
TARGETS = ["L0.H0", "L0.H1", "L0.MLP", "L1.H0", "L1.H1", "L1.MLP", "verdict"]
READ = {
    "L0.H0": SOURCES[:1],
    "L0.H1": SOURCES[:1],
    "L0.MLP": SOURCES[:3],
    "L1.H0": SOURCES[:4],
    "L1.H1": SOURCES[:4],
    "L1.MLP": SOURCES[:6],
    "verdict": SOURCES,
}
"""Whom each target can read: everybody who has written before it."""


def test_nodes_by_name() -> None:
    assert [GRAPH.source_name(source) for source in range(GRAPH.sources)] == SOURCES
    assert [GRAPH.target_name(target) for target in range(GRAPH.targets)] == TARGETS


def test_nodes_by_layer() -> None:
    assert SOURCES[GRAPH.head_sources(1)] == ["L1.H0", "L1.H1"] == TARGETS[GRAPH.head_targets(1)]
    assert SOURCES[GRAPH.mlp_source(1)] == "L1.MLP" == TARGETS[GRAPH.mlp_target(1)]
    assert TARGETS[GRAPH.verdict] == "verdict"


def test_an_edge_leads_to_whoever_reads_later() -> None:
    found = {name: [SOURCES[i] for i in np.flatnonzero(GRAPH.allowed[:, n])] for n, name in enumerate(TARGETS)}
    assert found == READ
    assert GRAPH.edges == sum(map(len, READ.values()))
