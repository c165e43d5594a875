"""Readings and means of units, against hooks of the test's own on one unpadded prompt at a time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from analyzer.model.hooked_pass import ForwardPass, forward_pass
from analyzer.model.judge import Judge
from analyzer.model.neuron_readings import neuron_readings
from analyzer.model.unit_recording import token_roles
from shared.errors import CannotCompute
from shared.records import Probe
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.tiny import DECODERS, FAMILIES

pytestmark = pytest.mark.numeric

PROBES = [*random_probes(6, seed=5), probe("bomb", id="short")]
GATED = {*DECODERS, "modernbert"}


def seen(judge: Judge, one: Probe) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """(tokens, d_model) layer 0's input, and each layer's (tokens, heads * head_size) and (tokens, neurons)."""
    input_: list[np.ndarray] = []
    heads: list[np.ndarray] = []
    neurons: list[np.ndarray] = []
    wiring = judge.anatomy.wiring
    assert wiring is not None
    hooks = [wiring.layers[0].module.register_forward_pre_hook(lambda _m, args: input_.append(args[0][0].numpy()))]
    for layer in wiring.layers:
        for module, into in ((layer.attention.out, heads), (layer.mlp.out, neurons)):
            hooks.append(
                module.register_forward_pre_hook(lambda _m, args, into=into: into.append(args[0][0].numpy()))
            )
    with torch.no_grad():
        judge.model(input_ids=judge.tokenizer(one.text, return_tensors="pt")["input_ids"])
    for hook in hooks:
        hook.remove()
    return input_[0], heads, neurons


def by_role(tokens: list[np.ndarray]) -> np.ndarray:
    """(3, units) mean over tokens that are first, last or neither."""
    groups: dict[int, list[np.ndarray]] = defaultdict(list)
    for values in tokens:
        for place, value in enumerate(values):
            groups[0 if place == 0 else 1 if place == len(values) - 1 else 2].append(value)
    return np.array([np.mean(groups[role], 0) for role in range(3)])


@pytest.mark.parametrize("family", FAMILIES)
def test_readings_and_means_are_those_of_single_prompts(family: str) -> None:
    judge = tiny_judge(family)
    found = forward_pass(judge, PROBES, 60, means=True)
    readings = neuron_readings(judge, found.encoded, 60)
    assert found.unit_means is not None
    assert readings.reading == ("mean" if family in GATED else "max")
    alone = [seen(judge, one) for one in PROBES]
    for layer in range(2):
        wanted = [neurons[layer].mean(0) if family in GATED else neurons[layer].max(0) for _, _, neurons in alone]
        np.testing.assert_allclose(readings.values[layer], wanted, atol=2e-5, rtol=1e-4)
        heads = by_role([heads[layer] for _, heads, _ in alone])
        np.testing.assert_allclose(found.unit_means.heads[layer], heads, atol=2e-5, rtol=1e-4)
        neurons = by_role([neurons[layer] for _, _, neurons in alone])
        np.testing.assert_allclose(found.unit_means.neurons[layer], neurons, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(found.unit_means.input, by_role([one for one, _, _ in alone]), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_batches_and_padding_side_do_not_matter(family: str) -> None:
    judge = tiny_judge(family)
    wanted = forward_pass(judge, PROBES, means=True)
    sides = ("right", "left") if family in DECODERS else ("right",)
    for side in sides:
        found = forward_pass(judge, PROBES, 1, side=side, means=True)
        assert largest_difference(found, wanted) < 1e-4
        found = forward_pass(judge, PROBES, side=side, means=True)
        assert largest_difference(found, wanted) < 1e-4


def largest_difference(one: ForwardPass, other: ForwardPass) -> float:
    names = ("input", "heads", "neurons")
    pairs = [(getattr(one.unit_means, name), getattr(other.unit_means, name)) for name in names]
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def test_roles_hold_on_either_side_and_an_only_token_is_the_first() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]])
    assert token_roles(mask).tolist() == [[0, 2, 1, 3], [3, 3, 0, 1], [0, 3, 3, 3], [0, 2, 2, 1]]


def test_a_role_that_no_token_has_is_zero() -> None:
    judge = tiny_judge("llama")
    found = forward_pass(judge, [probe("bomb")], means=True)  # <bos> bomb: first and last only
    assert found.unit_means is not None
    assert not found.unit_means.neurons[:, 2].any() and found.unit_means.neurons[:, 1].any()


def test_a_pass_records_what_the_suite_needs_and_nothing_else() -> None:
    judge = tiny_judge("bert")
    plain = context(judge, PROBES, suite=frozenset({"layers", "progress"})).forward
    assert plain.unit_means is None
    heads = context(judge, PROBES, suite=frozenset({"heads"})).forward
    assert heads.unit_means is not None
    both = context(judge, PROBES, suite=frozenset({"neurons", "layers"}))
    assert both.with_units() is both.forward, "no second pass"


def test_what_the_suite_did_not_tell_is_made_up_for_once() -> None:
    judge = tiny_judge("bert")
    late = context(judge, PROBES)
    assert late.forward.unit_means is None
    found = late.with_units()
    assert found.unit_means is not None
    assert late.forward is found is late.with_units()


def test_an_empty_probe_set_is_explained() -> None:
    with pytest.raises(CannotCompute, match="probe set is empty"):
        _ = context(tiny_judge("bert"), []).forward


def test_unknown_wiring_is_explained() -> None:
    judge = tiny_judge("bert")
    unknown = replace(judge, anatomy=replace(judge.anatomy, wiring=None, notes=("Nobody knows.",)))
    with pytest.raises(CannotCompute, match=r"'bert' are not known: Nobody knows\."):
        context(unknown, PROBES).with_units()
    with pytest.raises(CannotCompute, match=r"'bert' are not known: Nobody knows\."):
        _ = context(unknown, PROBES).readings
    assert forward_pass(unknown, PROBES, means=True).unit_means is None
