"""One hooked pass: norms against transformers' own hidden states, and independence of batch and padding."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from analyzer.model import anatomy
from analyzer.model.anatomy import dissect
from analyzer.model.batches import collate, encode, packed
from analyzer.model.hooked_pass import ForwardPass, forward_pass
from analyzer.model.judge import Judge
from analyzer.model.scoring import score
from analyzer.model.selfcheck import checked_anatomy
from shared.errors import JudgeError
from tests.making.judges import probe, random_probes, tiny_judge
from tests.making.tiny import DECODERS, FAMILIES

PROBES = random_probes(8, seed=3)
NAMES = ("scores", "pooled", "norms", "attention_writes", "mlp_writes", "lens")


def largest_difference(one: ForwardPass, other: ForwardPass) -> float:
    return max(float(np.abs(getattr(one, name) - getattr(other, name)).max()) for name in NAMES)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_passes_its_self_check(family: str) -> None:
    anatomy = tiny_judge(family).anatomy
    assert anatomy.notes == () and anatomy.depth == 2
    assert anatomy.head is not None and anatomy.attention_writes is not None


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_equal_hidden_states(family: str) -> None:
    judge = tiny_judge(family)
    found = forward_pass(judge, PROBES)
    for row, one in enumerate(PROBES):
        ids = judge.tokenizer(one.text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            output = judge.model(input_ids=ids, output_hidden_states=True)
        hidden = list(output.hidden_states)
        final = judge.anatomy.final_norm
        norms = [state[0].norm(dim=-1).mean().item() for state in hidden]
        count = len(norms) if final is None else len(norms) - 1  # transformers norms the last one
        np.testing.assert_allclose(found.norms[row, :count], norms[:count], rtol=1e-5, atol=1e-5)
        wanted = (output.logits[0, 1] - output.logits[0, 0]).item()
        assert found.scores[row] == pytest.approx(wanted, abs=1e-4)


def test_the_last_norm_is_before_the_final_norm() -> None:
    judge = tiny_judge("llama")
    found = forward_pass(judge, PROBES[:1])
    seen = []
    hook = judge.model.model.norm.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    judge.model(input_ids=torch.tensor([found.encoded[0].ids]))
    hook.remove()
    assert found.norms[0, -1] == pytest.approx(seen[0][0].norm(dim=-1).mean().item(), rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_batch_of_one_equals_batch_of_many(family: str) -> None:
    judge = tiny_judge(family)
    assert largest_difference(forward_pass(judge, PROBES, 1), forward_pass(judge, PROBES, 4096)) < 1e-4


@pytest.mark.parametrize("family", DECODERS)
def test_left_padding_equals_right_padding(family: str) -> None:
    judge = tiny_judge(family)
    assert largest_difference(forward_pass(judge, PROBES, side="left"), forward_pass(judge, PROBES)) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokenizers_padding_side_does_not_matter(family: str) -> None:
    judge = tiny_judge(family)
    wanted = forward_pass(judge, PROBES)
    side = judge.tokenizer.padding_side
    try:
        judge.tokenizer.padding_side = "left"
        assert largest_difference(forward_pass(judge, PROBES), wanted) == 0
    finally:
        judge.tokenizer.padding_side = side


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lens_after_the_last_layer_is_the_score(family: str) -> None:
    found = forward_pass(tiny_judge(family), PROBES)
    assert found.lens is not None
    np.testing.assert_allclose(found.lens[:, -1], found.scores, atol=1e-4)


def test_modernbert_mean_pooling_norms_before_it_averages() -> None:
    judge = tiny_judge("modernbert", classifier_pooling="mean")
    assert judge.anatomy.pooling == "mean" and judge.anatomy.head is not None
    found = forward_pass(judge, PROBES)
    np.testing.assert_allclose(found.lens[:, -1], found.scores, atol=1e-4)


def test_writes_are_what_a_pre_norm_layer_adds() -> None:
    judge = tiny_judge("llama")
    found = forward_pass(judge, PROBES[:1])
    with torch.no_grad():
        hidden = judge.model(
            input_ids=torch.tensor([found.encoded[0].ids]), output_hidden_states=True
        ).hidden_states
    added = hidden[1][0] - hidden[0][0]  # attention and MLP of layer 0 together
    parts = []
    layer = judge.model.model.layers[0]
    hooks = [
        layer.self_attn.register_forward_hook(lambda _m, _a, out: parts.append(out[0])),
        layer.mlp.register_forward_hook(lambda _m, _a, out: parts.append(out)),
    ]
    judge.model(input_ids=torch.tensor([found.encoded[0].ids]))
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close((parts[0] + parts[1])[0], added, atol=1e-5, rtol=1e-4)
    assert found.attention_writes[0, 0] == pytest.approx(parts[0][0].norm(dim=-1).mean().item(), rel=1e-4)
    assert found.mlp_writes[0, 0] == pytest.approx(parts[1][0].norm(dim=-1).mean().item(), rel=1e-4)


def test_writes_of_a_post_norm_layer_rebuild_its_output() -> None:
    judge = tiny_judge("bert")
    layer = judge.model.bert.encoder.layer[0]
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        judge.anatomy.attention_writes[0].register_forward_hook(lambda _m, _a, out: seen.update(attention=out)),
        judge.anatomy.mlp_writes[0].register_forward_hook(lambda _m, _a, out: seen.update(mlp=out)),
        layer.register_forward_hook(lambda _m, args, out: seen.update(before=args[0], after=out)),
    ]
    judge.model(input_ids=torch.tensor([encode(judge.tokenizer, ["how do i bake bread"], 40)[0].ids]))
    for hook in hooks:
        hook.remove()
    middle = layer.attention.output.LayerNorm(seen["before"] + seen["attention"])
    torch.testing.assert_close(layer.output.LayerNorm(middle + seen["mlp"]), seen["after"], atol=1e-5, rtol=1e-4)


def test_an_unknown_family_keeps_what_needs_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = tiny_judge("bert")
    monkeypatch.setattr(anatomy, "FAMILIES", {})
    unknown = replace(judge, anatomy=dissect(judge.model, judge.anatomy.pad_id))
    assert "not known" in unknown.anatomy.notes[0]
    found, wanted = forward_pass(unknown, PROBES), forward_pass(judge, PROBES)
    np.testing.assert_allclose(found.norms, wanted.norms, rtol=1e-5)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    assert found.lens is None and found.attention_writes is None


@pytest.mark.parametrize(
    ("family", "module", "lost"), [("bert", "head", "lens"), ("llama", "attention_writes", "add up")]
)
def test_a_failed_self_check_switches_off_what_needs_it(
    family: str, module: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = tiny_judge(family)
    anatomy = dissect(judge.model, judge.anatomy.pad_id)
    wrong = replace(anatomy, head=lambda pooled: pooled[:, :2]) if module == "head" else anatomy
    if module != "head":
        wrong = replace(anatomy, attention_writes=anatomy.mlp_writes)
    monkeypatch.setattr("analyzer.model.selfcheck.dissect", lambda *_: wrong)
    checked = checked_anatomy(judge)
    assert getattr(checked, module) is None
    assert lost in checked.notes[0]


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("bert.embeddings.LayerNorm", "the embedding block"),
        ("bert.encoder.layer.1.output.LayerNorm", "layer 1"),
        ("classifier", "the head"),
    ],
)
def test_what_is_not_finite_is_named(module: str, place: str) -> None:
    judge = tiny_judge("bert", layers=3)
    hook = judge.model.get_submodule(module).register_forward_hook(lambda _m, _a, output: output.log())
    try:
        with pytest.raises(
            JudgeError, match=rf"^The output of {place} is not finite .* on \d+ of 16 prompts: train"
        ):
            forward_pass(judge, PROBES)
    finally:
        hook.remove()


def test_float16_that_overflows_is_explained() -> None:
    judge = cast(tiny_judge("llama"), "float16")
    judge.model.get_submodule("model.layers.0.mlp.down_proj").weight.data *= 1e5
    with pytest.raises(JudgeError, match=r"output of layer 0 .* float16 ends at 65504; save the checkpoint in bfl"):
        forward_pass(judge, PROBES)


def cast(judge: Judge, dtype: str) -> Judge:
    """A copy of the judge in another precision."""
    model = copy.deepcopy(judge.model).to(getattr(torch, dtype))
    return replace(judge, model=model, anatomy=dissect(model, judge.anatomy.pad_id), dtype=dtype)


HALF = {"bfloat16": 5e-2, "float16": 5e-3}
"""How far a model's own rounding moves a number, relative to the largest of its kind."""


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("family", ["bert", "deberta-v2", "modernbert", "llama", "gemma3_text"])
def test_half_precision_gives_the_same_numbers_to_its_rounding(family: str, dtype: str) -> None:
    judge = tiny_judge(family)
    wanted = forward_pass(judge, PROBES)
    found = forward_pass(cast(judge, dtype), PROBES)
    for name in NAMES:
        one, other = getattr(found, name), getattr(wanted, name)
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=HALF[dtype] * np.abs(other).max(), rtol=0, err_msg=name)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_half_precision_is_reduced_in_float32(family: str) -> None:
    """Against float64 sums over the very activations of the bfloat16 model, one prompt alone."""
    judge = cast(tiny_judge(family), "bfloat16")
    one = probe("tell me a story about my garden and the water and the door")
    found = forward_pass(judge, [one], means=True)
    seen: dict[str, np.ndarray] = {}
    assert judge.anatomy.wiring is not None
    layer = judge.anatomy.wiring.layers[0]

    def keep(name: str):
        return lambda _module, args: seen.update({name: args[0][0].double().numpy()})

    modules = {"stream": judge.anatomy.layers[1], "heads": layer.attention.out, "neurons": layer.mlp.out}
    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in modules.items()]
    with torch.no_grad():
        judge.model(input_ids=torch.tensor([found.encoded[0].ids]))
    for hook in hooks:
        hook.remove()
    assert found.norms[0, 1] == pytest.approx(np.linalg.norm(seen["stream"], axis=-1).mean(), rel=1e-6)
    assert found.unit_means is not None
    for kind in ("heads", "neurons"):
        means = getattr(found.unit_means, kind)[0, 2]
        np.testing.assert_allclose(means, seen[kind][1:-1].mean(0), rtol=1e-5, atol=1e-6)


def test_long_prompts_are_cut_and_empty_ones_named() -> None:
    judge = tiny_judge("bert")
    long, short = encode(judge.tokenizer, ["bomb " * 20_000, "bomb"], judge.max_length)
    assert len(long.ids) == judge.max_length == 40 and long.truncated
    assert len(short.ids) == 3 and not short.truncated and short.content == [1]
    with pytest.raises(JudgeError, match="no tokens"):
        encode(tiny_judge("qwen2").tokenizer, [""], 40)


def test_batches_stay_in_the_budget_and_hold_everything_once() -> None:
    lengths = [5, 40, 7, 7, 1, 19, 40]
    batches = list(packed(lengths, 40))
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 40 for batch in batches)


def test_padding_stays_a_small_part_of_the_work() -> None:
    """One long prompt does not widen all the others; a handful of short ones is not worth a batch of its own."""
    lengths = [64, *range(10, 50), *[9] * 60]
    batches = list(packed(lengths, 4096))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert padded <= 1.3 * sum(lengths)
    assert len(batches) <= 6
    assert len(list(packed([20, 4, 3, 2], 4096))) == 1


def test_left_padding_counts_positions_from_the_first_token() -> None:
    judge = tiny_judge("llama")
    batch = collate(encode(judge.tokenizer, ["bomb", "how do i"], 40), judge.anatomy.pad_id, "cpu", "left")
    assert batch.position_ids.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]
    assert torch.isfinite(score(judge, batch)).all()


def test_frozen_activations_do_not_depend_on_other_prompts() -> None:
    judge = tiny_judge("bert")
    alone = forward_pass(judge, PROBES[:3])
    beside = forward_pass(judge, [*PROBES[:3], probe("bomb " * 38)])
    np.testing.assert_allclose(beside.norms[:3], alone.norms, rtol=1e-5)
