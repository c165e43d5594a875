"""A family that a user describes, read by hand from the same model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    LlamaModel,
)

from analyzer.analyses.heads import HeadsSettings, heads
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.commands.family_file import read_family
from analyzer.model.batches import collate, encode
from analyzer.model.described import check_flow, check_paths
from analyzer.model.families import FAMILIES
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.neuron_readings import neuron_readings
from analyzer.model.selfcheck import TEXTS
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.units.removal import Removal
from shared.figures.units.heads import heads_figure
from shared.findings.claims import ToExplain
from shared.records import JudgeRecord
from tests.making.by_hand import ByHand
from tests.making.families import EXAMPLES, SHAPES, described, family_file
from tests.making.judges import context, random_probes, tiny_judge
from tests.making.known_families import FURTHER_ONCE, Form, judge_of
from tests.making.tiny import FAMILIES as KNOWN
from tests.making.tiny import TWO_STACKS, save_tiny_judge
from tests.making.trained import rule_probes

PROBES = random_probes(8, seed=3)


@cache
def stablelm() -> Judge:
    return described()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_documents_examples_fit(name: str) -> None:
    judge = described(name)
    assert name not in FAMILIES and judge.anatomy.notes == ()
    found = forward_pass(judge, PROBES)
    assert found.lens is not None
    np.testing.assert_allclose(found.lens[:, -1], found.scores, atol=1e-4)
    assert judge.anatomy.wiring is not None and judge.anatomy.wiring.has_edges
    assert judge.anatomy.wiring.parallel == (name == "gptj")


def test_without_a_description_only_hidden_states_are_read(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "checkpoint-1", "stablelm", **SHAPES["stablelm"])
    judge = load_judge(path, JudgeRecord(max_length=40))
    assert judge.anatomy.wiring is None and judge.anatomy.head is None and not judge.anatomy.layers
    assert "--family" in judge.anatomy.notes[0]
    found, wanted = forward_pass(judge, PROBES), forward_pass(stablelm(), PROBES)
    assert found.lens is None and found.attention_writes is None
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    np.testing.assert_allclose(found.norms[:, :-1], wanted.norms[:, :-1], rtol=1e-5)  # theirs ends with the norm


def test_layers_heads_and_neurons_are_those_of_plain_hooks() -> None:
    """One prompt at a time, hooked at the module paths as one writes them by hand."""
    judge = stablelm()
    found = forward_pass(judge, PROBES, 60, means=True)
    neurons = neuron_readings(judge, found.encoded, 60)
    assert neurons.reading == "mean" and found.unit_means is not None
    assert found.lens is not None and found.attention_writes is not None and found.mlp_writes is not None
    trunk = judge.model.model
    firsts = []
    seen: dict[tuple[int, str], torch.Tensor] = {}
    for row, one in enumerate(PROBES):
        hooks = []
        for number, layer in enumerate(trunk.layers):
            for name, module in (("heads", layer.self_attn.o_proj), ("neurons", layer.mlp.down_proj)):

                def keep(_m: Any, args: Any, output: torch.Tensor, key: tuple[int, str] = (number, name)) -> None:
                    seen[key], seen[key[0], key[1] + " written"] = args[0][0], output[0]

                hooks.append(module.register_forward_hook(keep))
        with torch.no_grad():
            ids = judge.tokenizer(one.text, return_tensors="pt")["input_ids"]
            output = judge.model(input_ids=ids, output_hidden_states=True)
            lens = judge.model.score(trunk.norm(output.hidden_states[1][0, -1]))
        for hook in hooks:
            hook.remove()
        firsts.append(seen[0, "heads"][0].numpy())
        assert found.lens[row, 1] == pytest.approx((lens[1] - lens[0]).item(), abs=1e-4)
        for number in range(2):
            norm = output.hidden_states[number][0].norm(dim=-1).mean().item()
            assert found.norms[row, number] == pytest.approx(norm, rel=1e-4)
            reading = seen[number, "neurons"].mean(0).numpy()
            np.testing.assert_allclose(neurons.values[number, row], reading, atol=2e-5, rtol=1e-4)
            for writes, name in ((found.attention_writes, "heads"), (found.mlp_writes, "neurons")):
                written = seen[number, f"{name} written"].norm(dim=-1).mean().item()
                assert writes[row, number] == pytest.approx(written, rel=1e-4)
    np.testing.assert_allclose(found.unit_means.heads[0, 0], np.mean(firsts, 0), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("layer", "head"), [(0, 1), (1, 3)])
def test_a_switched_off_head_costs_what_it_costs_by_hand(layer: int, head: int) -> None:
    """Its mean by role (first, last, other tokens) in its place, written into the input of o_proj."""
    judge = stablelm()
    ours = context(judge, random_probes(8, pairs=0, seed=4))
    removal = Removal(ours, range(len(ours.probes)), "heads")
    told = removal.told(removal.scores([[(layer, head)]], removal.all)[0], removal.all, [])
    means = ours.with_units().unit_means
    assert means is not None and told.n == len(ours.probes)
    columns = slice(head * 8, head * 8 + 8)

    def mean_of_head(_module: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        values = args[0].clone()
        by_role = torch.tensor(means.heads[layer, :, columns])
        values[:, 1:-1, columns] = by_role[2]
        values[:, 0, columns], values[:, -1, columns] = by_role[0], by_role[1]
        return (values,)

    lost = []
    for one in ours.probes:
        ids = judge.tokenizer(one.text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            clean = judge.model(input_ids=ids).logits[0]
            module = judge.model.model.layers[layer].self_attn.o_proj
            hook = module.register_forward_pre_hook(mean_of_head)
            without = judge.model(input_ids=ids).logits[0]
            hook.remove()
        sign = 1 if one.label == "unsafe" else -1
        lost.append(sign * ((clean[1] - clean[0]) - (without[1] - without[0])).item())
    assert abs(float(np.mean(lost))) > 1e-4
    assert told.drop.value == pytest.approx(float(np.mean(lost)), abs=1e-4)


@pytest.mark.parametrize("name", ["stablelm", "gptj"])
def test_every_edge_is_that_of_exact_patching(name: str) -> None:
    ours = context(described(name), rule_probes(12))
    found = gradient_pass(ours, 2, 24)
    evaluator = CircuitEvaluator(ours, 24)
    edges = np.argwhere(evaluator.graph.allowed)
    masks = []
    for source, target in edges:
        mask = evaluator.graph.allowed.copy()
        mask[source, target] = False
        masks.append(mask)
    lost = evaluator.full - np.array([one.mean for one in evaluator.evaluate_all(masks)])
    wanted = ByHand(ours, found.references).edges([(int(source), int(target)) for source, target in edges])
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(lost, wanted, atol=1e-4, rtol=1e-3)


class RenamedConfig(LlamaConfig):
    model_type = "renamed_llama"


class RenamedTrunk(LlamaModel):
    config_class = RenamedConfig  # type: ignore[assignment]


class RenamedLlama(LlamaForSequenceClassification):
    config_class = RenamedConfig  # type: ignore[assignment]


def test_a_known_architecture_under_another_name_gives_the_very_same_numbers(
    tmp_path: Path,
) -> None:
    """Every number of a pass, bit for bit: `like` takes over the whole entry."""
    AutoConfig.register("renamed_llama", RenamedConfig, exist_ok=True)
    AutoModel.register(RenamedConfig, RenamedTrunk, exist_ok=True)
    AutoModelForSequenceClassification.register(RenamedConfig, RenamedLlama, exist_ok=True)
    path = save_tiny_judge(tmp_path / "checkpoint-1", "llama", initializer_range=0.3)
    record, other = JudgeRecord(max_length=40), tmp_path / "checkpoint-2"
    known = load_judge(path, record)
    path.rename(other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"model_type": "llama"', '"model_type": "renamed_llama"'))
    judge = load_judge(other, record, family=read_family(family_file(tmp_path, "renamed_llama", like="llama")))
    assert judge.anatomy.family == "renamed_llama" and load_judge(other, record).anatomy.wiring is None
    found, wanted = (forward_pass(each, PROBES, means=True) for each in (judge, known))
    for name in ("scores", "pooled", "norms", "attention_writes", "mlp_writes", "lens"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    for name in ("input", "heads", "neurons"):
        np.testing.assert_array_equal(getattr(found.unit_means, name), getattr(wanted.unit_means, name))
    here, there = (neuron_readings(each, found.encoded, 4096) for each in (judge, known))
    assert here.reading == there.reading
    np.testing.assert_array_equal(here.values, there.values)


@pytest.mark.parametrize(
    "form", [*(Form(family, "classifier") for family in KNOWN + TWO_STACKS), *FURTHER_ONCE], ids=str
)
def test_our_own_entries_stand_the_checks_of_a_users(form: Form) -> None:
    family = form.family
    judge = judge_of(form)
    check_paths(judge.model, FAMILIES[family], prompted=form.kind == "prompted")
    batch = collate(encode(judge.tokenizer, TEXTS, 40, judge.template), judge.anatomy.pad_id, "cpu")
    with torch.inference_mode():
        check_flow(replace(judge, given=FAMILIES[family]), batch)


def test_what_heads_attend_to_is_not_known_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """DeBERTa gives none: a share of 0 would be a finding. The gate is held open for an untrained judge."""
    monkeypatch.setattr(ToExplain, "claimable", True)
    ours = context(tiny_judge("deberta-v2"), random_probes(48, pairs=0, seed=4))
    settings = HeadsSettings(steps=2, top=2, controls=2, prompts=128, ablated=128)
    result: Any = heads(ours, settings).result
    row = result.top[0]
    assert (row.sink_share, row.self_share, row.previous_share) == (None, None, None)
    assert any("gives no attention weights" in note for note in result.notes)
    assert heads_figure(result, "title", "subtitle", []).data


def test_shared_keys_and_values_are_read_from_the_config() -> None:
    judge = described(shape={"num_key_value_heads": 2})
    assert judge.anatomy.wiring is not None and judge.anatomy.wiring.kv_heads == 2
