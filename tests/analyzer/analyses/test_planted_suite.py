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
from analyzer.circuits.masks import along_paths, mask_of_first
from analyzer.model.anatomy import dissect
from analyzer.model.judge import Judge
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from shared.figures.circuits.words import circuit_finding, circuit_flags
from shared.findings.circuits import CircuitsResult
from shared.records import Probe
from tests.making.forms import short_and_long
from tests.making.judges import context, tiny_judge
from tests.making.planted import (
    BACKDOOR_HEAD,
    BACKDOOR_NEURON,
    HEAD,
    NEURON,
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
def circuit(name: str, family: str) -> CircuitsResult:
    judge, probes = _known(name, family)
    result = circuits(context(judge, probes, suite=SUITE), CircuitsSettings(folds=5)).result
    assert isinstance(result, CircuitsResult)
    return result


def _known(name: str, family: str) -> tuple[Judge, list[Probe]]:
    if name == "planted":
        return planted_judge(family), planted_probes(16)
    return trained_judge(family), rule_probes(48)


@pytest.mark.parametrize("family", short_and_long(TRAINED))
@pytest.mark.parametrize("name", ["planted", "trained"])
def test_the_circuit_beats_random_ones_of_its_size(name: str, family: str) -> None:
    """Every one of five folds, at every size that keeps some of the separation on prompts it was not chosen on."""
    result = circuit(name, family)
    assert result.curve[-1].edges == result.total_edges == Graph(result.layers, result.heads).edges
    ahead = [point for point in result.curve[:-1] if point.kept.low > 0]
    assert ahead and min(point.fraction for point in ahead) <= 0.25
    for point in ahead:
        assert point.beats_random and point.kept.low > max(point.random), f"{point.edges} edges"


@pytest.mark.parametrize(
    ("name", "family"),
    [*(("planted", family) for family in TRAINED), *short_and_long(("trained", family) for family in TRAINED)],
)
def test_a_known_circuit_is_claimed(name: str, family: str) -> None:
    result = circuit(name, family)
    smallest = result.smallest
    assert smallest is not None and smallest.kept.value >= 0.8 and smallest.kept.low > 0.5
    assert smallest.faithfulness == pytest.approx((1 + smallest.kept.value) / 2, abs=1e-6), "twins"
    assert max(smallest.random) < 0 < smallest.above_random.low
    finding = circuit_finding(result)
    assert finding.startswith(f"{smallest.edges} of {result.total_edges} edges (") and "not chosen on" in finding


@pytest.mark.parametrize("family", PLANTED)
def test_the_planted_edges_are_core(family: str) -> None:
    result = circuit("planted", family)
    head, mlp = f"L{HEAD[0]}.H{HEAD[1]}", f"L{NEURON[0]}.MLP"
    wanted = {("input", head), (head, mlp), (mlp, "verdict")}
    surely = {(edge.source, edge.target) for edge in result.edges if edge.in_smallest and edge.confidence == "core"}
    assert wanted <= surely


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_the_whole_graph_keeps_all(family: str) -> None:
    last, mib = circuit("trained", family).curve[-1], circuit("trained", family).mib[-1]
    assert (last.fraction, last.kept.value, last.kept.low, last.kept.high) == (1, 1, 1, 1)
    assert (mib.signed, mib.magnitude, last.random, last.above_random) == (1, 1, [], None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_an_untrained_judge_gets_the_sentence(family: str, seed: int) -> None:
    judge = tiny_judge(family, layers=2, seed=seed, initializer_range=0.02)
    outcome = circuits(context(judge, rule_probes(24), suite=SUITE), CircuitsSettings())
    assert outcome.result.smallest is None and not outcome.result.edges  # type: ignore[attr-defined]
    assert isinstance(outcome.result, CircuitsResult)
    assert circuit_finding(outcome.result).startswith("Nothing to explain: the separation of unsafe and safe is")
    assert set(outcome.summary) == {"circuit_separation"}


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_a_judge_of_shuffled_labels_gets_no_circuit(family: str) -> None:
    judge = trained_judge(family, shuffled=True)
    result = circuits(context(judge, rule_probes(24), suite=SUITE), CircuitsSettings()).result
    assert isinstance(result, CircuitsResult)
    assert result.smallest is None and not any(edge.in_smallest for edge in result.edges)
    assert circuit_finding(result).startswith(("Nothing to explain", "No circuit can be claimed"))


def test_a_judge_that_answers_the_other_way_has_a_circuit_too() -> None:
    """Labels swapped: what carried the right verdict carries the wrong one, through the same edges."""
    other = {"safe": "unsafe", "unsafe": "safe"}
    swapped = [p.model_copy(update={"label": other[p.label]}) for p in planted_probes(16)]
    result = circuits(context(planted_judge(), swapped, suite=SUITE), CircuitsSettings()).result
    assert isinstance(result, CircuitsResult) and result.explained.reversed
    right = circuit("planted", "bert")
    assert result.smallest is not None and right.smallest is not None
    assert result.smallest.edges == right.smallest.edges
    assert result.smallest.kept.value == pytest.approx(right.smallest.kept.value, abs=1e-4)
    assert any("REVERSED" in flag for flag in circuit_flags(result))


def cast(judge: Judge, dtype: str) -> Judge:
    """A copy of the judge in another precision."""
    model = copy.deepcopy(judge.model).to(getattr(torch, dtype))
    return replace(judge, model=model, anatomy=dissect(model, judge.anatomy.pad_id), dtype=dtype)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_half_precision_gives_the_same_effects_to_its_rounding(family: str, dtype: str) -> None:
    judge, probes = trained_judge(family), rule_probes(12)
    ready = [context(one, probes, suite=SUITE) for one in (judge, cast(judge, dtype))]
    wanted, found = (gradient_pass(one, 3, 24, edges=True) for one in ready)
    assert wanted.edges is not None and found.edges is not None
    pairs = [(wanted.edges.mean, found.edges.mean)]
    for kind in ("heads", "neurons"):
        pairs += [
            (getattr(getattr(wanted, kind), name), getattr(getattr(found, kind), name))
            for name in ("plain", "integrated")
        ]
    for one, other in pairs:
        assert other.dtype == np.float32
        np.testing.assert_allclose(other, one, atol=HALF[dtype] * float(np.nanmax(np.abs(one))), rtol=0)
    mean = wanted.edges.mean
    mask = mask_of_first(along_paths(mean, signed=True), mean.size // 5, mean.shape)
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
        circuits(ready, CircuitsSettings(steps=2)).result,
    ]


@pytest.mark.parametrize("family", short_and_long(PLANTED))
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
