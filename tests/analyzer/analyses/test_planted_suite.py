"""The planted backdoor in units and edges, circuits beside random ones, and what changes nothing of a result."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from analyzer.analyses.circuits import CircuitsSettings, circuits
from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, neurons
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first, on_paths
from analyzer.model.anatomy import dissect
from analyzer.model.judge import Judge
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from shared.findings.circuits import CircuitsResult
from shared.records import Probe
from tests.making.judges import context
from tests.making.planted import (
    BACKDOOR_HEAD,
    BACKDOOR_NEURON,
    PLANTED,
    backdoor_probes,
    planted_judge,
    planted_probes,
)
from tests.making.trained import TRAINED, rule_probes, trained_judge

SUITE = frozenset({"neurons", "heads", "circuits"})
HALF = {"bfloat16": 5e-2, "float16": 5e-3}
"""Tolerance relative to the largest effect; the faithfulness, a ratio, is held to the same absolutely."""


@pytest.fixture(params=PLANTED)
def backdoored(request: pytest.FixtureRequest) -> Context:
    return context(planted_judge(request.param, backdoor=True), backdoor_probes(), suite=SUITE)


def test_the_backdoor_turns_the_verdict(backdoored: Context) -> None:
    by_label = {each.label: [] for each in backdoored.probes}
    for each, value in zip(backdoored.probes, backdoored.forward.scores, strict=True):
        by_label[each.label].append(value)
    assert min(by_label["unsafe"]) > 0 > max(by_label["safe"])


def test_the_neuron_map_names_the_backdoors_neuron(backdoored: Context) -> None:
    first = neurons(backdoored, NeuronsSettings()).result.top[0]  # type: ignore[attr-defined]
    assert (first.layer, first.neuron) == BACKDOOR_NEURON
    assert first.ablation.drop.low > 0.5 and first.q_value < 0.01


def test_the_head_map_names_the_backdoors_head(backdoored: Context) -> None:
    first = heads(backdoored, HeadsSettings()).result.top[0]  # type: ignore[attr-defined]
    assert (first.layer, first.head) == BACKDOOR_HEAD
    assert first.ablation.drop.low > 0.5


def test_the_circuit_names_the_backdoors_edges(backdoored: Context) -> None:
    result = circuits(backdoored, CircuitsSettings()).result
    head, mlp = f"L{BACKDOOR_HEAD[0]}.H{BACKDOOR_HEAD[1]}", f"L{BACKDOOR_NEURON[0]}.MLP"
    strongest = sorted(result.edges, key=lambda edge: -abs(edge.score))[:3]  # type: ignore[attr-defined]
    assert {(edge.source, edge.target) for edge in strongest} == {("input", head), (head, mlp), (mlp, "verdict")}


@cache
def circuit(name: str, family: str) -> tuple[CircuitsResult, np.ndarray]:
    """The published result, and the scores of all edges."""
    judge, probes = (
        (planted_judge(family), planted_probes()) if name == "planted" else (trained_judge(family), rule_probes(16))
    )
    outcome = circuits(context(judge, probes, suite=SUITE), CircuitsSettings(random=10))
    assert isinstance(outcome.result, CircuitsResult)
    return outcome.result, outcome.tensors["scores"]


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("name", ["planted", "trained"])
def test_the_circuit_beats_random_ones_of_its_size(name: str, family: str) -> None:
    """Every one of ten, at every size at which the best edges hold a path from input to verdict.

    At smaller sizes they keep exactly nothing; a random edge may be the one straight from input to verdict, and
    keeps next to nothing too.
    """
    result, scores = circuit(name, family)
    graph = Graph(result.layers, result.heads)
    assert result.curve[-1].edges == result.total_edges == graph.edges
    beaten = []
    for point in result.curve[:-1]:
        for value, signed in ((point.faithfulness, True), (point.by_magnitude, False)):
            if on_paths(mask_of_first(along_paths(scores, signed=signed), point.edges, scores.shape), graph).any():
                assert value > max(point.random), f"{point.edges} edges"
                beaten.append(point.fraction)
            else:
                assert value == 0 and max(map(abs, point.random)) < 0.01, f"{point.edges} edges"
    assert beaten and min(beaten) <= 0.06 and max(beaten) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("name", ["planted", "trained"])
def test_the_smallest_circuit_beats_random_ones(name: str, family: str) -> None:
    smallest = circuit(name, family)[0].smallest
    assert smallest is not None and smallest.faithfulness >= 0.8 and max(smallest.random) < 0.2


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("name", ["planted", "trained"])
def test_the_whole_graph_keeps_all_and_the_empty_one_nothing(name: str, family: str) -> None:
    result, scores = circuit(name, family)
    last = result.curve[-1]
    assert (last.fraction, last.faithfulness, last.by_magnitude, last.low, last.high) == (1, 1, 1, 1, 1)
    judge, probes = (
        (planted_judge(family), planted_probes()) if name == "planted" else (trained_judge(family), rule_probes(16))
    )
    assert CircuitEvaluator(context(judge, probes)).evaluate(np.zeros(scores.shape, dtype=bool)).faithfulness == 0


def cast(judge: Judge, dtype: str) -> Judge:
    """A copy of the judge in another precision."""
    model = copy.deepcopy(judge.model).to(getattr(torch, dtype))
    return replace(judge, model=model, anatomy=dissect(model, judge.anatomy.pad_id), dtype=dtype)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("family", TRAINED)
def test_half_precision_gives_the_same_effects_to_its_rounding(family: str, dtype: str) -> None:
    judge, probes = trained_judge(family), rule_probes(12)
    ready = [context(one, probes, suite=SUITE) for one in (judge, cast(judge, dtype))]
    wanted, found = (gradient_pass(one, 3, 24, edges=True) for one in ready)
    assert wanted.edges is not None and found.edges is not None
    pairs = [(wanted.edges, found.edges)]
    for kind in ("heads", "neurons"):
        pairs += [
            (getattr(getattr(wanted, kind), name), getattr(getattr(found, kind), name))
            for name in ("plain", "integrated")
        ]
    for one, other in pairs:
        assert other.dtype == np.float32
        np.testing.assert_allclose(other, one, atol=HALF[dtype] * float(np.nanmax(np.abs(one))), rtol=0)
    mask = mask_of_first(along_paths(wanted.edges, signed=True), wanted.edges.size // 5, wanted.edges.shape)
    kept = [CircuitEvaluator(one, 24).evaluate(mask).faithfulness for one in ready]
    assert kept[0] > 0.3 and abs(kept[1] - kept[0]) <= HALF[dtype]


@pytest.mark.parametrize("family", PLANTED)
def test_the_tokenizers_padding_side_does_not_matter(family: str) -> None:
    judge = planted_judge(family)
    side = judge.tokenizer.padding_side
    wanted = [one.model_dump() for one in published(judge, planted_probes())]
    try:
        judge.tokenizer.padding_side = "left" if side == "right" else "right"
        assert [one.model_dump() for one in published(judge, planted_probes())] == wanted
    finally:
        judge.tokenizer.padding_side = side


def published(judge: Judge, probes: list[Probe]) -> list[BaseModel]:
    ready = context(judge, probes, suite=SUITE)
    return [
        neurons(ready, NeuronsSettings(steps=2, controls=3, shuffles=2)).result,
        heads(ready, HeadsSettings(steps=2, controls=3)).result,
        circuits(ready, CircuitsSettings(steps=2, random=2)).result,
    ]


@pytest.mark.parametrize("family", PLANTED)
def test_the_order_of_the_prompts_does_not_matter(family: str) -> None:
    """Of whole heads and circuits results; bootstrap draws, which follow the order, aside."""
    one, other = (published(planted_judge(family), planted_probes()[::step])[1:] for step in (1, -1))
    for straight, turned in zip(one, other, strict=True):
        compare(straight.model_dump(), turned.model_dump(), "")


def compare(one: Any, other: Any, where: str) -> None:
    """Equal to rounding, but for the ends of intervals."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one.keys() - {"low", "high"}:
            compare(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            compare(a, b, f"{where}[{place}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4), where
    else:
        assert one == other, where
