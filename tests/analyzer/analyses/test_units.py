"""The neuron map and the head map on bad input, and what they publish."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.analyses.circuits import CircuitsSettings, circuits
from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, by_rank, neurons
from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.patching.gradient_pass import shared_gradients
from analyzer.session.context import Context
from analyzer.units.attended_tokens import attention_of
from shared.errors import CannotCompute
from shared.findings.circuits import CircuitsResult
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.tiny import FAMILIES

TURNED = {"safe": "unsafe", "unsafe": "safe"}
SUITE = frozenset({"neurons", "heads", "circuits"})
NEURONS = NeuronsSettings(top=3, decoys=2, controls=2, shuffles=2, steps=2, prompts=16)
HEADS = HeadsSettings(top=2, controls=2, steps=2, prompts=16)
CIRCUITS = CircuitsSettings(steps=2, prompts=16, curve_prompts=16, checked=3)


def made(family: str = "bert", pairs: int = 10, **fields: object) -> Context:
    return context(tiny_judge(family), random_probes(12, pairs=pairs), **{"suite": SUITE, **fields})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_every_number_is_finite(family: str) -> None:
    found = made(family)
    for outcome in (neurons(found, NEURONS), heads(found, HEADS), circuits(found, CIRCUITS)):
        outcome.result.model_dump_json()  # Part refuses NaN
        assert all(np.isfinite(value) for value in outcome.summary.values())
    result = circuits(found, CIRCUITS).result
    assert isinstance(result, CircuitsResult)
    assert result.level == ("nodes" if family == "deberta-v2" else "edges")
    assert not result.curve or (result.curve[-1].fraction, result.curve[-1].kept.value) == (1, 1)


@pytest.mark.parametrize("label", ["safe", "unsafe"])
def test_one_class_alone_is_explained(label: str) -> None:
    only = [each for each in random_probes(12) if each.label == label]
    found = context(tiny_judge(), only, suite=SUITE)
    for compute, settings in ((neurons, NEURONS), (heads, HEADS), (circuits, CIRCUITS)):
        with pytest.raises(CannotCompute, match="The probe set has"):
            compute(found, settings)  # type: ignore[operator]


def test_without_pairs_the_mean_is_the_reference_and_a_note_says_so() -> None:
    found = made(pairs=0)
    for outcome in (neurons(found, NEURONS), heads(found, HEADS), circuits(found, CIRCUITS)):
        result = outcome.result
        assert isinstance(result, NeuronsResult | HeadsResult | CircuitsResult)
        assert result.reference == "mean" and result.n_pairs == 0
        assert any("contrast pairs align" in note for note in result.notes)


def test_constant_neurons_and_ties_are_counted_and_never_significant() -> None:
    judge = tiny_judge("bert", seed=5)
    first = judge.model.bert.encoder.layer[0].intermediate.dense  # type: ignore[union-attr]
    before = first.weight.detach().clone()  # type: ignore[union-attr]
    try:
        with torch.no_grad():
            first.weight[:7] = 0  # type: ignore[index, union-attr]
        outcome = neurons(context(judge, random_probes(12, pairs=10), suite=SUITE), NEURONS)
    finally:
        with torch.no_grad():
            first.weight.copy_(before)  # type: ignore[union-attr]
    result = outcome.result
    assert isinstance(result, NeuronsResult)
    assert result.constant == 7 and result.tested == 128 - 7
    assert (outcome.tensors["auroc"][0, :7] == 0.5).all() and not outcome.tensors["significant"][0, :7].any()


def test_long_prompts_are_cut_and_that_is_said() -> None:
    probes = random_probes(12, pairs=10)
    probes.append(probe("how to bake a cake " * 30, "safe", id="long"))
    result = neurons(context(tiny_judge(), probes, suite=SUITE), NEURONS).result
    assert isinstance(result, NeuronsResult)
    assert "1 prompts are longer than the judge reads and were cut." in result.notes


@pytest.mark.numeric
def test_nothing_depends_on_order_or_batches() -> None:
    one = neurons(made(), NEURONS)
    two = neurons(made(batch_tokens=1), NEURONS)
    assert [row["name"] for row in names(one)] == [row["name"] for row in names(two)]
    for name in ("auroc", "q", "significant"):
        assert (one.tensors[name] == two.tensors[name]).all()
    assert np.allclose(one.tensors["effect"], two.tensors["effect"], atol=1e-4)


def names(outcome: object) -> list[dict[str, str]]:
    return [{"name": row.name} for row in outcome.result.top]  # type: ignore[attr-defined]


def test_ranks_are_binned() -> None:
    values = by_rank(np.arange(1000.0))
    assert len(values) == 256 and values == sorted(values, reverse=True)
    assert by_rank(np.array([1.0, 3.0])) == [3.0, 1.0]


@pytest.mark.parametrize("family", ["bert", "llama", "gemma3_text", "modernbert", "distilbert"])
def test_attention_weights_give_the_heads_output(family: str) -> None:
    """Shares of a prompt's tokens add up to 1, and the kernel is switched back."""
    found = made(family)
    before = found.judge.model.config._attn_implementation
    tallies = attention_of(found, [(0, 0), (1, 3)])
    assert tallies is not None and found.judge.model.config._attn_implementation == before
    for tally in tallies:
        total = sum(entry[0] for entry in tally.shares.values())
        assert total == pytest.approx(len(found.probes), abs=1e-3)
        assert 0 < tally.sink <= tally.prompts == len(found.probes)


def test_only_units_that_support_the_verdict_are_removed_together() -> None:
    """What all strong ones lose together would mix losses and gains; recomputed here from the prompts' scores."""
    found = made()
    mapped, seen = neurons(found, NEURONS.model_copy(update={"top": 8})).result, heads(found, HEADS).result
    assert isinstance(mapped, NeuronsResult) and isinstance(seen, HeadsResult)
    supporting = [(row.layer, row.neuron) for row in mapped.top if row.effect.value > 0]
    assert mapped.joint is not None and 0 < mapped.joint.k == len(supporting) < len(mapped.top) == 8
    assert seen.joint is None or seen.joint.k == sum(row.effect.value > 0 for row in seen.top)
    means = found.with_units().unit_means
    assert means is not None
    removed = Ablation(neurons={layer: [n for at, n in supporting if at == layer] for layer, _ in supporting})
    judge = found.judge
    (scores,) = ablated_scores(judge, found.encoded, means, [removed], 4096)
    sign = np.array([1.0 if each.label == "unsafe" else -1.0 for each in found.probes])
    lost = sign * (found.forward.scores - scores)
    chosen = shared_gradients(found, NEURONS.steps, NEURONS.prompts).references.indices
    assert mapped.joint.drop.value == pytest.approx(lost[chosen].mean(), abs=1e-5)


def test_without_a_supporting_unit_none_are_removed_together() -> None:
    found = made()
    turned = [each.model_copy(update={"label": TURNED[each.label]}) for each in found.probes]
    results = []
    for probes in (found.probes, turned):
        result = heads(context(tiny_judge(), probes, suite=SUITE), HEADS.model_copy(update={"top": 1})).result
        assert isinstance(result, HeadsResult)
        results.append(result)
    against = next(result for result in results if result.top[0].effect.value < 0)
    assert against.joint is None and any("supports the right verdict" in note for note in against.notes)
    assert next(result for result in results if result is not against).joint is not None
