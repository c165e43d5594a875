"""The neuron map and the head map on bad input, and what they publish."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analyzer.analyses.circuits import CircuitsSettings, circuits
from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.analyses.neurons import NeuronsSettings, by_rank, neurons
from analyzer.model.judge import Judge
from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.session.context import Context
from analyzer.units.attended_tokens import attention_of
from shared.errors import CannotCompute
from shared.findings.circuits import CircuitsResult
from shared.findings.heads import HeadsResult
from shared.findings.neurons import NeuronsResult
from shared.records import Probe
from tests.making.judges import context, probe, random_probes, tiny_judge
from tests.making.tiny import FAMILIES
from tests.making.trained import rule_probes, trained_judge

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
    assert "1 prompt is longer than the judge reads and cut." in result.notes


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


def told(judge: Judge, probes: list[Probe]) -> tuple[HeadsResult, NeuronsResult]:
    found = context(judge, probes, suite=SUITE)
    seen, mapped = heads(found, HEADS).result, neurons(found, NEURONS).result
    assert isinstance(seen, HeadsResult) and isinstance(mapped, NeuronsResult)
    return seen, mapped


def test_units_that_one_half_chose_are_measured_on_prompts_of_the_other() -> None:
    """Counted again from the halves, and the joint loss from the prompts' scores."""
    found = context(trained_judge(), rule_probes(24), suite=SUITE)
    settings = HEADS.model_copy(update={"top": 3})
    seen = heads(found, settings).result
    assert isinstance(seen, HeadsResult) and seen.explained.claimable and seen.joint is not None
    assert {row.ablation.n for row in seen.top} <= {24, 48} and seen.joint.n == 48
    assert len(seen.joint.control_drops) == len(seen.joint.control_flips) <= settings.controls
    if seen.joint.named:
        means = found.with_units().unit_means
        assert means is not None
        removed: dict[int, list[int]] = {}
        for layer, head in (name[1:].split(".H") for name in seen.joint.named):
            removed.setdefault(int(layer), []).append(int(head))
        (scores,) = ablated_scores(found.judge, found.encoded, means, [Ablation(heads=removed)], 4096)
        sign = np.array([1.0 if each.label == "unsafe" else -1.0 for each in found.probes])
        lost = (sign * (found.forward.scores - scores)).mean()
        assert seen.joint.drop.value == pytest.approx(lost, abs=1e-5)


def test_the_curve_of_a_trained_judge_falls_faster_than_the_random_one() -> None:
    _, mapped = told(trained_judge(), rule_probes(24))
    assert mapped.curve is not None and mapped.curve.n == 48
    left = {point.removed: point for point in mapped.curve.points}
    most = max(left)
    last = left[most]
    assert last.left is not None and last.random is not None and last.left.high < last.random.low
    assert mapped.agreement is not None and mapped.agreement.spearman.value > 0.8
    assert mapped.explained.unit == "contrast pairs" and mapped.explained.groups == 24


def test_nothing_is_removed_where_there_is_nothing_to_explain() -> None:
    """Not a single pass of an ablation: the gate comes first."""
    blank = tiny_judge("bert", seed=1, initializer_range=0.02)
    seen, mapped = told(blank, rule_probes(24))
    assert not seen.explained.claimable and seen.joint is None and seen.top == [] and seen.random_drops == []
    assert not mapped.explained.claimable and mapped.curve is None and mapped.top == mapped.decoys == []
    assert np.array(seen.effect).any(), "effects by attribution are there to see"
