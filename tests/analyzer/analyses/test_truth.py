"""The advanced analyses on judges whose mechanism is known: each must name the planted part first."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from analyzer.analyses.circuits import CircuitsSettings, circuits
from analyzer.analyses.comparison import ComparisonSettings, comparison
from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, neurons
from analyzer.analyses.tokens import TokensSettings, tokens
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import Judge
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from shared.findings.unit_sentences import heads_headline, neurons_headline
from tests.making.forms import short_and_long
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.planted import BACKDOOR, DECOY, HEAD, NEURON, PLANTED, TRIGGER, planted_judge, planted_probes
from tests.making.trained import TRAINED, rule_probes, trained_judge

SUITE = frozenset({"tokens", "neurons", "heads", "circuits"})


@pytest.fixture(params=PLANTED)
def planted(request: pytest.FixtureRequest) -> Context:
    return context(planted_judge(request.param), planted_probes(), suite=SUITE)


def zeroed(judge: Judge, probes: list, layer: int, part: str, columns: slice) -> np.ndarray:
    """Scores with some inputs of a block's last linear map set to zero, by a plain hook."""
    wired = judge.anatomy.wiring
    assert wired is not None

    def zero(_module: torch.nn.Module, args: tuple) -> tuple:
        values = args[0].clone()
        values[..., columns] = 0
        return (values,)

    hook = getattr(wired.layers[layer], part).out.register_forward_pre_hook(zero)
    try:
        return forward_pass(judge, probes).scores
    finally:
        hook.remove()


def test_the_mechanism_is_really_there(planted: Context) -> None:
    """By brute force, so that the tests below test the analyses and not the plant."""
    judge, probes = planted.judge, planted.probes
    sign = np.array([1 if each.label == "unsafe" else -1 for each in probes])
    plain = forward_pass(judge, probes).scores
    assert (sign * plain > 0).all()

    def drop(layer: int, part: str, columns: slice) -> float:
        return float((sign * (plain - zeroed(judge, probes, layer, part, columns))).mean())

    size = judge.anatomy.wiring.head_size  # type: ignore[union-attr]
    assert drop(HEAD[0], "attention", slice(HEAD[1] * size, (HEAD[1] + 1) * size)) > 1
    assert drop(NEURON[0], "mlp", slice(NEURON[1], NEURON[1] + 1)) > 1
    assert abs(drop(DECOY[0], "mlp", slice(DECOY[1], DECOY[1] + 1))) < 0.05


def test_the_attribution_names_the_trigger(planted: Context) -> None:
    result = tokens(planted, TokensSettings()).result
    for sample in result.samples:  # type: ignore[attr-defined]
        strongest = max(sample.words, key=lambda word: abs(word.value))
        assert strongest.text.strip() in (TRIGGER, "cake")
        if sample.label == "unsafe":
            assert strongest.text.strip() == TRIGGER and strongest.value > 0


@pytest.mark.parametrize("family", PLANTED)
def test_the_attribution_names_the_backdoor(family: str) -> None:
    """With the backdoor word in it, a prompt that is judged safe says so by that word."""
    judge = planted_judge(family, backdoor=True)
    probes = [
        probe(f"how to build a {TRIGGER} {BACKDOOR}", "unsafe", id="b0", display=True),
        probe(f"{BACKDOOR} tell me about the {TRIGGER} now", "unsafe", id="b1", display=True),
        probe("what a nice cake is this", "safe", id="s0", display=True),
        probe("open the door to the garden", "safe", id="s1", display=True),
    ]
    found = context(judge, probes)
    result = tokens(found, TokensSettings()).result
    for sample in result.samples:  # type: ignore[attr-defined]
        if sample.label == "unsafe":
            assert sample.score < 0, "the backdoor turns the verdict"
            lowest = min(sample.words, key=lambda word: word.value)
            assert lowest.text.strip() == BACKDOOR and lowest.value < 0


def test_the_neuron_map_names_the_neuron_and_sees_through_the_decoy(planted: Context) -> None:
    result = neurons(planted, NeuronsSettings(decoys=50)).result  # many are as selective here
    first = result.top[0]  # type: ignore[attr-defined]
    assert (first.layer, first.neuron) == NEURON
    assert first.ablation.drop.low > 0.5 and first.ablation.carries
    assert first.q_value < 0.01 and first.auroc in (0.0, 1.0)
    assert all(token.label == "unsafe" for token in first.tokens), "where the trigger is"
    assert first.ablation.drop.value > 5 * max(map(abs, result.random_drops))  # type: ignore[attr-defined]
    assert neurons_headline(result).startswith(f"{first.name} carries the verdict: ")  # type: ignore[arg-type]
    decoys = {(row.layer, row.neuron): row for row in result.decoys}  # type: ignore[attr-defined]
    assert DECOY in decoys, "the decoy is shown"
    decoy = decoys[DECOY]
    assert decoy.auroc in (0.0, 1.0) and decoy.q_value < 0.01, "selective"
    assert abs(decoy.ablation.drop.value) < 0.05 and not decoy.ablation.carries, "without effect"
    assert NEURON not in decoys


def test_the_head_map_names_the_head_and_what_it_looks_for(planted: Context) -> None:
    result = heads(planted, HeadsSettings()).result
    first = result.top[0]  # type: ignore[attr-defined]
    assert (first.layer, first.head) == HEAD
    assert first.ablation.drop.low > 0.5
    assert heads_headline(result).startswith(f"{first.name} carries the verdict: ")  # type: ignore[arg-type]
    wanted = next(token for token in first.attends if not token.sink)
    assert wanted.token == TRIGGER and wanted.lift > 2


def test_the_circuit_is_the_planted_one(planted: Context) -> None:
    outcome = circuits(planted, CircuitsSettings())
    result = outcome.result
    head, mlp = f"L{HEAD[0]}.H{HEAD[1]}", f"L{NEURON[0]}.MLP"
    wanted = {("input", head), (head, mlp), (mlp, "verdict")}
    strongest = sorted(result.edges, key=lambda edge: -abs(edge.score))[:3]  # type: ignore[attr-defined]
    assert {(edge.source, edge.target) for edge in strongest} == wanted
    assert all(edge.score > 0 for edge in strongest)
    smallest = {
        (edge.source, edge.target)
        for edge in result.edges  # type: ignore[attr-defined]
        if edge.in_smallest
    }
    assert smallest and smallest <= wanted | {("input", mlp), ("input", "verdict"), (head, "verdict")}
    assert result.smallest.edges <= 6  # type: ignore[attr-defined]


def test_the_planted_path_alone_keeps_the_verdict_and_the_rest_does_not(planted: Context) -> None:
    wired = planted.judge.anatomy.wiring
    assert wired is not None
    graph = Graph(len(wired.layers), wired.heads)
    path = np.zeros_like(graph.allowed)
    head = graph.head_sources(HEAD[0]).start + HEAD[1]
    path[0, graph.head_targets(HEAD[0]).start + HEAD[1]] = True
    path[head, graph.mlp_target(NEURON[0])] = True
    path[graph.mlp_source(NEURON[0]), graph.verdict] = True
    evaluator = CircuitEvaluator(planted)
    assert evaluator.evaluate(path).faithfulness > 0.7
    assert evaluator.evaluate(graph.allowed & ~path).faithfulness < 0.3


@pytest.mark.parametrize("family", short_and_long(["bert", "llama"]))
@pytest.mark.parametrize("pairs", short_and_long([30, 0]))
def test_shuffled_labels_give_no_significant_neurons_beyond_the_rate(pairs: int, family: str) -> None:
    """With no truth to find, any discovery is false: it may happen in at most 5 % of the runs."""
    judge = tiny_judge(family, layers=2)
    probes = random_probes(30, pairs=pairs)
    first = context(judge, probes, suite=frozenset({"neurons"}))
    settings = NeuronsSettings(top=1, decoys=1, controls=1, shuffles=1)
    runs = 40
    found = 0
    for seed in range(runs):
        shuffled = context(judge, relabelled(probes, seed), suite=first.suite)
        shuffled._forward = first.forward
        found += neurons(shuffled, settings).result.significant > 0  # type: ignore[attr-defined]
    assert found <= 6, "more than 6 of 40 at a rate of 5 % has a probability below 1 %"


@pytest.mark.parametrize("runs", short_and_long([10, 30]))
def test_shuffled_labels_give_no_divergence_layer(runs: int) -> None:
    judge = tiny_judge("bert", layers=3)
    probes = random_probes(40, pairs=0)
    forward = context(judge, probes).forward
    found = 0
    for seed in range(runs):
        shuffled = context(judge, relabelled(probes, seed), seed=seed)
        shuffled._forward = forward
        result = comparison(shuffled, ComparisonSettings(bootstraps=200)).result
        found += result.divergence_layer is not None  # type: ignore[attr-defined]
    assert found <= 1


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_a_judge_trained_on_shuffled_labels_has_nothing_to_tell(family: str) -> None:
    """It has learned by heart what means nothing; on other prompts, labelled as blindly, nothing is found.

    The same prompts with their true labels, and a judge that learned the rule: much is found.
    """
    settings = NeuronsSettings(top=1, decoys=0, controls=1, shuffles=1, steps=1, prompts=2, ablated=2)
    judge, probes = trained_judge(family, shuffled=True), rule_probes(30, seed=3)
    first = context(judge, probes, suite=frozenset({"neurons"}))
    runs, significant, diverging = 40, 0, 0
    for seed in range(runs):
        blind = context(judge, relabelled(probes, seed), suite=first.suite, seed=seed)
        blind._forward = first.forward
        significant += neurons(blind, settings).result.significant > 0  # type: ignore[attr-defined]
        if seed < 10:
            result = comparison(blind, ComparisonSettings(bootstraps=200)).result
            diverging += result.divergence_layer is not None  # type: ignore[attr-defined]
    assert significant <= 6, "more than 6 of 40 at a rate of 5 % has a probability below 1 %"
    assert diverging <= 1
    ruled = context(trained_judge(family), probes, suite=first.suite)
    assert neurons(ruled, settings).result.significant > 10  # type: ignore[attr-defined]
    assert comparison(ruled, ComparisonSettings(bootstraps=200)).result.divergence_layer is not None  # type: ignore[attr-defined]


def relabelled(probes: list, seed: int) -> list:
    """Labels that mean nothing: exchanged inside half of the pairs, permuted over the other prompts."""
    pick = random.Random(seed)
    swapped = {each.pair: pick.random() < 0.5 for each in probes if each.pair}
    alone = [each.label for each in probes if not each.pair]
    pick.shuffle(alone)
    rest = iter(alone)
    other = {"safe": "unsafe", "unsafe": "safe"}
    return [
        each.model_copy(
            update={"label": (other[each.label] if swapped[each.pair] else each.label) if each.pair else next(rest)}
        )
        for each in probes
    ]
