"""Which readers share a stream: against the definition, mask by mask."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.circuits.streams import WORD, StreamPlan, stream_plan
from analyzer.patching.graph import Graph

GRAPH = Graph(3, 4)


def kept_by_reader(mask: np.ndarray, graph: Graph) -> dict[int, frozenset[int]]:
    """Target -> the sources whose values it gets, as the plan would have it: followed stream by stream."""
    made = stream_plan(mask, graph)
    streams = [frozenset({0}) if entry else frozenset() for entry in made.entry]
    found: dict[int, frozenset[int]] = {}
    for number, layer in enumerate(made.layers):
        for stream, heads in layer.heads:
            for head in heads:
                found[graph.head_targets(number).start + head] = streams[stream]
        writers = [graph.head_sources(number).start + head for head in layer.active_heads]
        streams = after(streams, layer.attention, writers)
        if layer.mlp is not None:
            found[graph.mlp_target(number)] = streams[layer.mlp]
        streams = after(streams, layer.mlp_writes, [] if layer.mlp is None else [graph.mlp_source(number)])
    assert len(streams) == 1
    return found | {graph.verdict: streams[0]}


def most(made: StreamPlan) -> int:
    """Streams there are at once, at most."""
    steps = [step for layer in made.layers for step in (layer.attention, layer.mlp_writes)]
    return max(len(made.entry), *(len(step.parents) for step in steps))


def after(streams: list[frozenset[int]], step, writers: list[int]) -> list[frozenset[int]]:
    assert step.kept.shape == (len(step.parents), len(writers))
    new = [
        streams[parent] | {writer for writer, keeps in zip(writers, kept, strict=True) if keeps}
        for parent, kept in zip(step.parents.tolist(), step.kept.tolist(), strict=True)
    ]
    assert len(set(new)) == len(new), "equal streams are one"
    return new


def written_by_active(mask: np.ndarray, graph: Graph) -> np.ndarray:
    """The mask without edges out of nodes that read nothing: they write what they write in the corrupted run."""
    reads = np.concatenate([[True], mask.any(0)[:-1]])
    return mask & reads[:, None]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_every_reader_gets_what_its_edges_say(share: float, seed: int) -> None:
    mask = GRAPH.allowed & (np.random.default_rng(seed).random(GRAPH.allowed.shape) < share)
    found = kept_by_reader(mask, GRAPH)
    assert found.keys() == {*np.flatnonzero(mask.any(0)).tolist(), GRAPH.verdict}
    wanted = written_by_active(mask, GRAPH)
    for target, sources in found.items():
        assert sources == frozenset(np.flatnonzero(wanted[:, target]).tolist())


def test_the_whole_graph_is_one_stream_and_one_cut_edge_makes_a_second() -> None:
    assert most(stream_plan(GRAPH.allowed, GRAPH)) == 1
    cut = GRAPH.allowed.copy()
    cut[GRAPH.head_sources(0).start, GRAPH.mlp_target(2)] = False
    made = stream_plan(cut, GRAPH)
    assert most(made) == 2
    assert len(made.layers[0].attention.parents) == 2 and len(made.layers[2].mlp_writes.parents) == 1


def test_more_writers_than_one_word_holds() -> None:
    graph = Graph(2, WORD + 5)
    mask = graph.allowed & (np.random.default_rng(1).random(graph.allowed.shape) < 0.5)
    wanted = written_by_active(mask, graph)
    for target, sources in kept_by_reader(mask, graph).items():
        assert sources == frozenset(np.flatnonzero(wanted[:, target]).tolist())
