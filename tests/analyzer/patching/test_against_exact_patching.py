"""Attribution patching and EAP-IG against exact patching by plain hooks.

Equal where the judge is linear. On trained judges the ranks agree as long as these are not saturated: with scores
of 8 nats a tiny BERT gave Spearman 0.7 to 0.9 for edges, and for neurons 0.9 by the plain gradient, which the
neuron map ranks by, and 0.6 by the integrated one.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import Judge
from analyzer.model.selfcheck import checked_anatomy
from analyzer.patching.gradient_pass import GradientPass, gradient_pass, shared_gradients
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from tests.making.by_hand import ByHand
from tests.making.forms import short_and_long
from tests.making.judges import context, tiny_judge
from tests.making.trained import TRAINED, rule_probes, trained_judge


@cache
def linear_judge() -> Judge:
    """A llama that is linear from embeddings to verdict: no norms, uniform attention, gates that are constant."""
    judge = tiny_judge("llama", layers=3, mlp_bias=True, num_key_value_heads=4, initializer_range=0.15)
    model = copy.deepcopy(judge.model)
    trunk = model.model
    trunk.norm = nn.Identity()
    for layer in trunk.layers:
        layer.input_layernorm, layer.post_attention_layernorm = nn.Identity(), nn.Identity()
        with torch.no_grad():
            layer.self_attn.q_proj.weight.zero_()
            layer.mlp.gate_proj.weight.zero_()
            layer.mlp.gate_proj.bias.fill_(1.0)
    judge = replace(judge, model=model)
    return replace(judge, anatomy=checked_anatomy(judge))


@cache
def linear_context() -> Context:
    return context(linear_judge(), rule_probes(12))


def each_left_out(found: CircuitEvaluator, edges: np.ndarray) -> np.ndarray:
    """(edges,) what is lost when each edge alone is corrupted, as our own circuit runs say."""
    masks = []
    for source, target in edges:
        mask = found.graph.allowed.copy()
        mask[source, target] = False
        masks.append(mask)
    return found.full - np.array([one.mean for one in found.evaluate_all(masks)])


def test_the_linear_judge_passes_its_self_check() -> None:
    anatomy = linear_judge().anatomy
    assert anatomy.notes == () and anatomy.wiring is not None and anatomy.wiring.has_edges
    assert np.ptp(linear_context().forward.scores) > 0.5


@pytest.mark.parametrize("steps", [1, 4])
def test_units_of_a_linear_judge_are_exact(steps: int) -> None:
    found = gradient_pass(linear_context(), steps, 24)
    by_hand = ByHand(linear_context(), found.references)
    for kind, effects in (("heads", found.heads), ("neurons", found.neurons)):
        wanted = by_hand.units(kind)
        assert np.abs(wanted).max() > 0.01, "there is something to find"
        np.testing.assert_allclose(effects.plain, wanted, atol=1e-5, rtol=0)
        np.testing.assert_allclose(effects.integrated, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [1, 4])
def test_every_edge_of_a_linear_judge_is_exact(steps: int) -> None:
    found = gradient_pass(linear_context(), steps, 24, edges=True)
    evaluator = CircuitEvaluator(linear_context(), 24)
    allowed = evaluator.graph.allowed
    edges = np.argwhere(allowed)
    assert found.edges is not None
    wanted = ByHand(linear_context(), found.references).edges([(int(u), int(v)) for u, v in edges])
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(found.edges.mean[allowed], wanted, atol=1e-5, rtol=0)
    np.testing.assert_allclose(each_left_out(evaluator, edges), wanted, atol=1e-5, rtol=0)


STEPS, PAIRS, TOP = 5, 20, 100


@cache
def trained_context(family: str) -> Context:
    return context(trained_judge(family), rule_probes(PAIRS), suite=frozenset({"circuits"}))


@cache
def scored(family: str) -> GradientPass:
    found = gradient_pass(trained_context(family), STEPS, 2 * PAIRS, edges=True)
    assert found.references.kind == "twin" and found.references.n == 2 * PAIRS
    return found


def agreement(estimate: np.ndarray, exact: np.ndarray, top: int = TOP) -> float:
    """Spearman over the `top` strongest by |estimate|."""
    chosen = np.argsort(-np.abs(estimate.ravel()), kind="stable")[:top]
    return float(spearmanr(estimate.ravel()[chosen], exact.ravel()[chosen]).statistic)  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_the_judges_have_learned_the_rule(family: str) -> None:
    probes = rule_probes(100, seed=2)
    truth = np.array([each.label == "unsafe" for each in probes])
    assert ((forward_pass(trained_judge(family), probes).scores > 0) == truth).mean() >= 0.85


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_the_strongest_edges_of_a_trained_judge(family: str) -> None:
    """EAP-IG's 100 strongest edges against what is lost when each alone is patched; some of these by hand."""
    found = scored(family)
    assert found.edges is not None
    evaluator = CircuitEvaluator(trained_context(family), 2 * PAIRS)
    allowed = evaluator.graph.allowed
    order = np.argsort(-np.abs(found.edges.mean[allowed]), kind="stable")
    edges = np.argwhere(allowed)[order[:TOP]]
    lost = each_left_out(evaluator, edges)
    assert agreement(found.edges.mean[edges[:, 0], edges[:, 1]], lost) >= 0.9
    graph = evaluator.graph
    shared = family == "llama"  # heads share keys and values: edges into them are left to the circuit runs
    by_hand = [i for i, (_, target) in enumerate(edges) if not shared or into_all(graph, int(target))][:30]
    wanted = ByHand(trained_context(family), found.references).edges([(int(u), int(v)) for u, v in edges[by_hand]])
    np.testing.assert_allclose(lost[by_hand], wanted, atol=1e-4, rtol=1e-3)


def into_all(graph: Graph, target: int) -> bool:
    """Whether a target is an MLP or the verdict."""
    return target == graph.verdict or target % graph.width == graph.heads


@pytest.mark.parametrize("family", short_and_long(TRAINED))
def test_the_units_of_a_trained_judge(family: str) -> None:
    """All heads, and the 100 strongest neurons, against each patched to its twin's values."""
    found = scored(family)
    by_hand = ByHand(trained_context(family), found.references)
    heads, neurons = by_hand.units("heads"), by_hand.units("neurons")
    assert agreement(found.heads.plain, heads, heads.size) >= 0.9
    assert agreement(found.heads.integrated, heads, heads.size) >= 0.9
    assert agreement(found.neurons.plain, neurons) >= 0.9
    assert agreement(found.neurons.integrated, neurons) >= 0.9


@pytest.mark.slow
def test_on_a_judge_that_is_sure_of_itself_neurons_are_ranked_by_the_plain_gradient() -> None:
    made = context(trained_judge("bert", sure=True), rule_probes(PAIRS), suite=frozenset({"neurons"}))
    assert np.median(np.abs(made.forward.scores)) > 6
    found = shared_gradients(made, STEPS, 2 * PAIRS)
    exact = ByHand(made, found.references).units("neurons")
    plain = agreement(found.neurons.plain, exact)
    assert plain >= 0.75 and plain > agreement(found.neurons.integrated, exact)
