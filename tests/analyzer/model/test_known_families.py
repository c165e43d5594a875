"""Every family that is known beside those that all other tests run over, in each form in which it can judge.

Scores and one head's ablation are held against plain transformers, which loads the same files and knows nothing of
ours; edges against exact patching by plain hooks.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.model.batches import Batch, collate
from analyzer.model.families import FAMILIES
from analyzer.model.hooked_pass import forward_pass
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.model.scoring import score
from analyzer.model.selfcheck import checked_anatomy
from analyzer.model.trunk import trunk_of
from analyzer.model.verdict_token import score_alone
from analyzer.patching.ablation import Ablation, ablated_scores
from analyzer.patching.gradient_pass import gradient_pass
from analyzer.patching.source_values import head_writes, mlp_write, source_values
from docs.judges import layout
from shared.records import JudgeRecord
from tests.making.by_hand import ByHand
from tests.making.judges import context, random_probes
from tests.making.known_families import (
    FURTHER_FORMS,
    FURTHER_ONCE,
    Form,
    forms,
    judge_of,
    plain_model,
    plain_score,
)
from tests.making.tiny import FAMILIES as MOST_TESTED
from tests.making.tiny import FURTHER, TWO_STACKS, save_tiny_judge
from tests.making.trained import rule_probes

PROBES = random_probes(6, pairs=5, seed=5)
NAMES = ("scores", "pooled", "norms", "attention_writes", "mlp_writes", "lens")
ENCODERS_BEFORE_A_DECODER = forms(TWO_STACKS)
WITH_EDGES = [form for form in FURTHER_ONCE if form.family not in ("olmo2", "olmo3")] + ENCODERS_BEFORE_A_DECODER
LAYERS = 3
LAYOUTS = (
    "albert",
    "electra",
    "gpt2",
    "gpt_neox",
    "phi",
    "gemma3",
    "olmo2",
    "gpt_oss",
    "granite",
    "granitemoe",
    "cohere",
    "llama4",
    "t5",
    "umt5",
)
"""A family of each layout. Of the others only the scores, and in one form, are looked at in the short form."""


EACH_LAYOUT = [form for form in FURTHER_FORMS + ENCODERS_BEFORE_A_DECODER if form.family in LAYOUTS]


def short_and_long(every: Sequence[Form], short: Sequence[Form] = EACH_LAYOUT) -> list[Any]:
    return [form if form in short else pytest.param(form, marks=pytest.mark.slow) for form in every]


def test_the_short_form_has_every_layout() -> None:
    looked_at = {layout(FAMILIES[family]) for family in LAYOUTS + MOST_TESTED}
    assert {layout(FAMILIES[family]) for family in FURTHER + TWO_STACKS} <= looked_at


@pytest.mark.parametrize("form", short_and_long(FURTHER_FORMS, FURTHER_ONCE), ids=str)
def test_scores_are_those_of_plain_transformers_alone_and_in_batches(form: Form) -> None:
    judge = judge_of(form, LAYERS)
    anatomy, wiring = judge.anatomy, judge.anatomy.wiring
    assert anatomy.notes == () and anatomy.depth == LAYERS and anatomy.head is not None and wiring is not None
    assert wiring.has_edges == (FAMILIES[form.family].no_edges == "")
    found, alone = forward_pass(judge, PROBES), forward_pass(judge, PROBES, 1)
    model = plain_model(form, LAYERS)
    wanted = [plain_score(judge, model, prompt.ids) for prompt in found.encoded]
    assert np.ptp(wanted) > 0.1, "there is something to tell apart"
    np.testing.assert_allclose(alone.scores, wanted, atol=1e-5, rtol=1e-5)
    for name in NAMES:
        np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=1e-4, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(found.lens[:, -1], found.scores, atol=1e-4)
    batch = collate(found.encoded, anatomy.pad_id, judge.device)
    with torch.inference_mode():
        torch.testing.assert_close(score_alone(judge, batch), score(judge, batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", short_and_long(FURTHER_FORMS + ENCODERS_BEFORE_A_DECODER), ids=str)
def test_an_ablated_head_is_columns_of_the_output_projection_at_zero(form: Form) -> None:
    """Against plain transformers whose output projection reads zeros there, at the right depth of shared layers."""
    judge = judge_of(form, LAYERS)
    wiring: Any = judge.anatomy.wiring
    made = context(judge, PROBES)
    means: Any = made.with_units().unit_means
    zero = type(means)(*(np.zeros_like(part) for part in (means.input, means.heads, means.neurons)))
    found = ablated_scores(judge, made.encoded, zero, [Ablation(heads={1: [2]})], 4096)[0]
    if wiring.has_neurons:  # set behind the layer, or inside it, as it runs again for the sake of no head
        ways = [Ablation(neurons={1: [3, 5]}), Ablation(neurons={1: [3, 5]}, heads={1: []})]
        behind, inside = ablated_scores(judge, made.encoded, zero, ways, 4096)
        np.testing.assert_allclose(behind, inside, atol=2e-5, rtol=1e-5)
    model = plain_model(form, LAYERS)
    columns = slice(2 * wiring.head_size, 3 * wiring.head_size)
    with_zeros(model, form.family, 1, columns)
    wanted = [plain_score(judge, model, prompt.ids) for prompt in made.encoded]
    assert np.abs(found - made.forward.scores).max() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=2e-5, rtol=1e-5)


def with_zeros(model: Any, family: str, depth: int, columns: slice) -> None:
    """Let the attention output projection at `depth` read zeros; calls are counted where one layer serves all."""
    entry = FAMILIES[family]
    assert entry.attention is not None
    layers = trunk_of(model).get_submodule(entry.layers)
    shared = len(list(layers.children())) == 1
    out = layers.get_submodule("0" if shared else str(depth)).get_submodule(entry.attention.out)
    calls = [0]

    def hook(_module: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        calls[0] += 1
        if shared and (calls[0] - 1) % LAYERS != depth:
            return None
        values = args[0].clone()
        values[..., columns] = 0
        return (values, *args[1:])

    out.register_forward_pre_hook(hook)


@pytest.mark.parametrize("form", short_and_long(FURTHER_ONCE + ENCODERS_BEFORE_A_DECODER), ids=str)
def test_heads_and_mlps_write_what_the_stream_gets(form: Form) -> None:
    """Without the norms of the stream, input and all single writes are the last residual stream."""
    judge = judge_of(form, LAYERS)
    wiring: Any = judge.anatomy.wiring
    made = context(judge, PROBES[:1])
    batch = batch_of(made.encoded[0].ids)
    stream: list[torch.Tensor] = []
    last = judge.anatomy.layers[-1].register_forward_hook(
        lambda _m, _a, output: stream.append(output[0] if isinstance(output, tuple) else output)
    )
    values = source_values(judge, batch)
    last.remove()
    total = values.input
    for number, layer in enumerate(wiring.layers):
        parts = (
            head_writes(layer, values.heads[number], wiring.heads).sum(-2),
            mlp_write(layer, values.neurons[number]),
        )
        for block, written in zip((layer.attention, layer.mlp), parts, strict=True):
            bias = getattr(block.out, "bias", None)
            written = written if bias is None else written + block.scale * bias
            if block.branch_norm is not None:
                written = block.branch_norm(written)
            total = total + written if block.trunk_norm is None else block.trunk_norm(total + written)
    torch.testing.assert_close(total, stream[0], atol=2e-5, rtol=1e-4)


def batch_of(ids: tuple[int, ...]) -> Batch:
    return Batch(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), None)


@pytest.mark.parametrize("form", short_and_long(WITH_EDGES), ids=str)
def test_edges_out_of_a_source_add_up_to_its_effect(form: Form) -> None:
    """The total derivative is the sum over direct paths: side by side, through shared norms, times a factor."""
    result = gradient_pass(context(judge_of(form, LAYERS), random_probes(10, pairs=10)), 2, 16, edges=True)
    assert result.edges is not None
    out = np.nansum(result.edges.mean, 1)
    nodes = np.concatenate(
        [
            np.append(result.heads.integrated[layer], result.neurons.integrated[layer].sum())
            for layer in range(LAYERS)
        ]
    )
    assert np.abs(nodes).max() > 1e-3
    np.testing.assert_allclose(out[1:], nodes, atol=1e-5 * (1 + np.abs(nodes).max()), rtol=1e-3)


@pytest.mark.parametrize("form", short_and_long(WITH_EDGES), ids=str)
def test_edges_are_those_of_exact_patching(form: Form) -> None:
    """A few edges of every kind, each patched alone by plain hooks."""
    wiring: Any = judge_of(form, LAYERS).anatomy.wiring
    ours = context(judge_of(form, 2, **({"num_key_value_heads": 4} if wiring.kv_heads < 4 else {})), rule_probes(8))
    evaluator = CircuitEvaluator(ours, 16)
    graph = evaluator.graph
    edges = np.argwhere(graph.allowed)[::5]
    masks = []
    for source, target in edges:
        mask = graph.allowed.copy()
        mask[source, target] = False
        masks.append(mask)
    lost = evaluator.full - np.array([one.mean for one in evaluator.evaluate_all(masks)])
    wanted = ByHand(ours, evaluator.references).edges([(int(source), int(target)) for source, target in edges])
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(lost, wanted, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("family", ["phi3", "cohere", "gpt_oss"])
def test_edges_into_heads_that_share_keys_are_those_of_heads_that_do_not(family: str) -> None:
    """The same function with a key and a value written out for each head, whose edges are patched by hand above."""
    form = next(form for form in FURTHER_ONCE if form.family == family)
    shared = judge_of(form, 2)
    apart = judge_of(form, 2, num_key_value_heads=4)
    write_out(shared, apart)
    lost = []
    for judge in (shared, apart):
        evaluator = CircuitEvaluator(context(judge, rule_probes(8)), 16)
        heads = np.argwhere(evaluator.graph.allowed[:, evaluator.graph.head_targets(1)])
        masks = []
        for source, head in heads[::3]:
            mask = evaluator.graph.allowed.copy()
            mask[source, evaluator.graph.head_targets(1).start + head] = False
            masks.append(mask)
        lost.append(evaluator.full - np.array([one.mean for one in evaluator.evaluate_all(masks)]))
    assert np.abs(lost[0]).max() > 1e-4
    np.testing.assert_allclose(lost[0], lost[1], atol=1e-5)


@torch.no_grad()
def write_out(shared: Judge, apart: Judge) -> None:
    """Give `apart` the weights of `shared`, each key and value twice."""
    theirs = apart.model.state_dict()
    for name, value in shared.model.state_dict().items():
        own, place = value, theirs[name]
        if own.shape != place.shape:
            query, size = (32, 8) if "qkv" in name else (0, 8)
            parts = [own[:query]] if query else []
            rest = own[query:]
            rest = (
                rest
                if rest.shape[-1] == size and rest.ndim == 2 and "norm" in name
                else rest.unflatten(0, (-1, size))
            )
            repeated = rest.repeat_interleave(2, 0)
            own = torch.cat([*parts, repeated.reshape(-1, *place.shape[1:])])
        place.copy_(own)


def test_a_warm_load_of_shared_layers_writes_into_every_depth(tmp_path: Path) -> None:
    record = JudgeRecord(max_length=40)
    one, two = (save_tiny_judge(tmp_path / f"checkpoint-{seed}", "albert", layers=3, seed=seed) for seed in (1, 2))
    warm = load_judge(one, record)
    model = warm.model
    warm = load_judge(two, record, warm=warm)
    assert warm.model is model and warm.place_of("albert.encoder.albert_layer_groups.0.x") == 0
    found, wanted = forward_pass(warm, PROBES), forward_pass(load_judge(two, record), PROBES)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


@pytest.mark.parametrize("shape", [{"inner_group_num": 2}, {"num_hidden_groups": 2}])
def test_layers_that_are_shared_in_another_way_are_not_told_apart(tmp_path: Path, shape: dict[str, Any]) -> None:
    path = save_tiny_judge(tmp_path / "checkpoint-1", "albert", layers=4, initializer_range=0.3, **shape)
    judge = load_judge(path, JudgeRecord(max_length=40))
    assert judge.anatomy.wiring is None and not judge.anatomy.layers
    assert "'albert' is laid out in another way" in judge.anatomy.notes[0] and "--family" in judge.anatomy.notes[0]
    found = forward_pass(judge, PROBES)
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    wanted = [plain_score(judge, model, prompt.ids) for prompt in found.encoded]
    np.testing.assert_allclose(found.scores, wanted, atol=1e-5, rtol=1e-5)


def test_a_known_family_that_flows_otherwise_loses_its_parts_and_says_so() -> None:
    """A layer that halves what it returns: nothing of writes, heads and neurons would be true."""
    judge = judge_of(Form("smollm3", "classifier"), 2)
    model: Any = copy.deepcopy(judge.model)
    model.model.layers[1].register_forward_hook(lambda _m, _a, output: output / 2)
    anatomy = checked_anatomy(replace(judge, model=model))
    assert anatomy.wiring is None and anatomy.attention_writes is None and anatomy.head is not None
    assert len(anatomy.notes) == 1 and "layer 1 does not return its input plus what" in anatomy.notes[0]


def test_a_factor_on_logits_that_no_entry_knows_is_read_from_the_whole_model() -> None:
    judge = judge_of(Form("llama4_text", "prompted"), 2)
    model: Any = copy.deepcopy(judge.model)
    model.lm_head.register_forward_hook(lambda _m, _a, output: output / 3)
    other = replace(judge, model=model)
    other = replace(other, anatomy=checked_anatomy(other))
    assert other.anatomy.head is None and "taken alone, are not those of the whole model" in other.anatomy.notes[0]
    found, before = forward_pass(other, PROBES), forward_pass(judge, PROBES)
    np.testing.assert_allclose(found.scores, before.scores / 3, atol=1e-5)
