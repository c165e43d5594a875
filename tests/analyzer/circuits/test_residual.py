"""Both ways to keep the readers' streams give the same scores, whatever the circuit."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.circuits import edge_run, residual
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.residual import PartedStreams, RebuiltStreams
from analyzer.circuits.streams import stream_plan
from tests.making.judges import context, random_probes, tiny_judge

ADDING = ("llama", "gpt2", "gpt_neox")
"""Families whose blocks do nothing but add; in the last both read side by side."""


def evaluator(family: str) -> CircuitEvaluator:
    return CircuitEvaluator(context(tiny_judge(family, layers=4), random_probes(12, pairs=10)), 16)


@pytest.mark.parametrize("family", ADDING)
@pytest.mark.parametrize("ahead", [1, 7, 48])
def test_rebuilt_streams_are_the_parted_ones(family: str, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluator(family)
    graph = found.graph
    random = np.random.default_rng(ahead)
    masks = [graph.allowed & (random.random(graph.allowed.shape) < share) for share in (0.05, 0.3, 0.8, 1.0)]
    monkeypatch.setattr(residual, "AHEAD", ahead)
    scores = []
    for kind in (PartedStreams, RebuiltStreams):
        monkeypatch.setattr(edge_run, "streams_of", lambda *told, kind=kind: kind(*told[:-1]))
        scores.append(found._scores(masks))
    assert np.abs(scores[0]).max() > 0.1
    assert np.allclose(*scores, atol=2e-5, rtol=1e-4)


def test_what_is_parted_at_most_blocks_is_rebuilt_and_what_is_nearly_whole_is_not() -> None:
    graph = evaluator("llama").graph
    dense = graph.allowed & (np.random.default_rng(0).random(graph.allowed.shape) < 0.5)
    cut = graph.allowed.copy()
    cut[0, graph.verdict] = False
    for mask, rebuilt in ((dense, True), (cut, False)):
        plan = stream_plan(mask, graph)
        assert (4 * plan.copies > plan.sums) is rebuilt


@pytest.mark.parametrize("family", ["bert", "gemma2"])
def test_norms_of_the_stream_or_of_what_is_written_need_parted_streams(family: str) -> None:
    wiring = tiny_judge(family, layers=2).anatomy.wiring
    assert wiring is not None and not wiring.only_added


@pytest.mark.parametrize("family", ["bert", "gemma2"])
def test_streams_written_in_pieces_are_those_written_at_once(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluator(family)
    random = np.random.default_rng(1)
    masks = [found.graph.allowed & (random.random(found.graph.allowed.shape) < share) for share in (0.1, 0.5, 0.9)]
    scores = []
    for size in (3000, 2**30):
        monkeypatch.setattr(residual, "PIECE_BYTES", size)
        scores.append(found._scores(masks))
    assert np.abs(scores[0]).max() > 0.1
    assert np.allclose(*scores, atol=2e-5, rtol=1e-4)
