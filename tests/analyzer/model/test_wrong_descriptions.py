"""A family that a user describes, refused in one sentence where the description is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from analyzer.commands.family_file import read_family
from analyzer.model import block_borders
from analyzer.model.loading import load_judge
from analyzer.model.selfcheck import checked_anatomy
from shared.errors import FamilyError, JudgeError
from shared.records import JudgeRecord
from tests.making.families import described, family_file
from tests.making.tiny import save_tiny_judge

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"layers": "blocks"}, "layers = 'blocks' matches no module of the base model .*embed_tokens, layers, norm"),
    ({"layers": "norm"}, "layers = 'norm' holds no layers"),
    ({"layers": "layers.0"}, "attention.module = 'self_attn' matches no module of layer 0"),
    ({"final_norm": "ln_f"}, "final_norm = 'ln_f' matches no module"),
    ({"embeddings": "norm"}, "embeddings = 'norm' is not the model's word embeddings"),
    ({"head": ["classifier"]}, "head = 'classifier' matches no module of the model"),
    ({"head": ["score", "score"]}, r"head = \['score', 'score'\] cannot be run on a pooled state"),
    ({"head": ["model.norm"]}, r"does not give two logits"),
    ({"head_reads": "tokens"}, r"does not give two logits"),
    ({"attention__out": "self_attn.dense"}, "attention.out = 'self_attn.dense' matches no module of layer 0"),
    ({"attention__out": "self_attn"}, "is a StableLmAttention, and must be a torch.nn.Linear"),
    ({"attention__read_norm": "mlp"}, "is a StableLmMLP, and must be a LayerNorm or RMSNorm"),
    ({"attention__read_norm": "post_attention_layernorm"}, "attention.read_norm of layer 0 does not read"),
    ({"attention__read_norm": None}, "attention.module of layer 0 does not read the residual stream"),
    ({"mlp__read_norm": None}, "mlp.module of layer 0 does not read the residual stream after attention"),
    ({"mlp__out": "mlp.up_proj"}, "mlp.out of layer 0 does not write as many numbers"),
    ({"mlp__trunk_norm": "input_layernorm"}, "called twice|does not read|does not return"),
    (
        {"attention__projections": ["self_attn.q_proj"]},
        r"attention.projections give \[32\] numbers, and 4 heads need",
    ),
    ({"heads": "n_head"}, "heads = 'n_head' is None in the config"),
    ({"layers_return_pairs": True}, "layers_return_pairs is true, and .* returns hidden states alone"),
    ({"pooling": "cls"}, "pooling = 'cls', and the score depends on other tokens"),
    ({"pooling": "mean"}, "pooling = 'mean', and the score is not read from the mean"),
    ({"final_norm": "layers.1.post_attention_layernorm"}, "does not read what the last layer gives|called twice"),
    ({"head": [], "pooling": "cls"}, "pooling = 'cls', and the score depends on other tokens"),
    ({"head": [], "pooling": "mean"}, "pooling = 'mean', and the score is not read from the mean"),
    ({"head": [], "final_norm": "layers.0.input_layernorm"}, "final_norm = .* does not read what the last layer"),
    ({"head": [], "final_norm": None}, "final_norm is not given, and 'norm' norms what the last layer gives"),
    ({"embedding_block": "norm"}, r"embedding_block = 'norm' does not hold the word embeddings \('embed_tokens'\)"),
    ({"embedding_block": "layers"}, "embedding_block = 'layers' does not hold the word embeddings"),
    ({"heads": "num_hidden_layers"}, "kv_heads = 'num_key_value_heads' is 4 in the config, beside 2 heads"),
    ({"kv_heads": "num_hidden_layers"}, r"attention.projections give \[32, 32, 32\] numbers"),
    (
        {"kv_heads": "num_hidden_layers", "attention__projections": []},
        "kv_heads = .* is 2 .* 1 heads .* share a key",
    ),
    ({"attention__projections": ["self_attn.q_proj", "self_attn.k_proj", "mlp.gate_proj"]}, "give .* numbers"),
    ({"mlp__module": "mlp.gate_proj"}, "mlp.module of layer 0 is not the whole block that mlp.out ends"),
    ({"mlp__module": "mlp.up_proj"}, "mlp.module of layer 0 is not the whole block that mlp.out ends"),
    ({"mlp__module": "mlp.act_fn"}, "mlp.module of layer 0 does not read"),
    (
        {"mlp__module": "post_attention_layernorm", "mlp__read_norm": None},
        "mlp.module of layer 0 is not the whole block that mlp.out ends",
    ),
    ({"attention__module": "self_attn.q_proj"}, "attention.module of layer 0 is not the whole block"),
    (
        {"attention__module": "input_layernorm", "attention__read_norm": None, "attention__projections": []},
        "attention.module of layer 0 is not the whole block",
    ),
    ({"final_norm": None}, "the logit lens after the last layer does not give the judge's score"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG)
def test_a_wrong_description_is_refused_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FamilyError, match=sentence) as caught:
        described(**changes)
    said = str(caught.value)
    assert said.startswith("--family stablelm: ") and said.endswith("(docs/families.md).") and "\n" not in said


def test_two_heads_described_as_one_are_found_out() -> None:
    """All widths fit; only the attention weights, or how far a query reaches, tell how many heads there are."""
    says = "heads = 'num_hidden_layers' is 2 in the config, and the attention of layer 0 has 4"
    for name, like in (("data2vec-text", "roberta"), ("bert", "bert"), ("deberta-v2", "deberta-v2")):
        with pytest.raises(FamilyError, match=says):
            described(name, like=like, heads="num_hidden_layers")
    shape = {"num_key_value_heads": 2}
    with pytest.raises(FamilyError, match=r"heads = 'num_key_value_heads' is 2 .* 2 heads .* share a key"):
        described(shape=shape, heads="num_key_value_heads", attention__projections=[])
    assert described(shape=shape, attention__projections=[]).anatomy.wiring is not None


def test_heads_are_counted_without_attention_weights_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_borders, "weights_by_layer", lambda judge, *_: [None] * judge.anatomy.depth)
    for name, like in (("data2vec-text", "roberta"), ("bert", "bert")):
        assert described(name, like=like).anatomy.wiring is not None
        with pytest.raises(FamilyError, match="one of that many heads asks for does not reach all"):
            described(name, like=like, heads="num_hidden_layers")
    with pytest.raises(FamilyError, match=r"gives no attention weights, and without attention\.projections"):
        described(attention__projections=[])


def test_a_block_that_reads_the_stream_elsewhere_too_is_found_out() -> None:
    """Its gate reads what the norm gives, past the module."""
    judge = described()
    layer: Any = judge.model.model.layers[1]
    kept: list[torch.Tensor] = []
    layer.post_attention_layernorm.register_forward_hook(lambda _m, _a, output: kept.append(output))
    mlp = layer.mlp
    mlp.forward = lambda x: mlp.down_proj(mlp.act_fn(mlp.gate_proj(kept[-1])) * mlp.up_proj(x))
    with pytest.raises(FamilyError, match=r"mlp\.module of layer 1 is not all of the block that reads"):
        checked_anatomy(judge)


def test_projections_that_are_not_all_that_heads_read_are_found_out() -> None:
    """A gate on the heads, which no projection says."""
    judge = described()
    attention: Any = judge.model.model.layers[1].self_attn
    kept: list[torch.Tensor] = []
    plain = attention.forward

    def keeping(hidden_states: torch.Tensor, **more: Any) -> Any:
        kept.append(hidden_states)
        return plain(hidden_states=hidden_states, **more)

    attention.forward = keeping
    attention.o_proj.register_forward_pre_hook(lambda _m, args: (args[0] * kept[-1].sigmoid(),))
    with pytest.raises(FamilyError, match=r"attention\.projections of layer 1 are not all that its heads read"):
        checked_anatomy(judge)


def test_a_mean_without_a_head_is_told_from_one_token() -> None:
    for pooling, other in (("mean", "cls"), ("cls", "mean")):
        shape = {"classifier_pooling": pooling}
        said: dict[str, Any] = {"like": "modernbert", "head": [], "pooling_option": "none"}
        assert described("modernbert", shape, pooling=pooling, **said).anatomy.pooling == pooling
        with pytest.raises(FamilyError, match=f"pooling = '{other}', and the score"):
            described("modernbert", shape, pooling=other, **said)


@pytest.mark.parametrize("block", ["encoder", "encoder.layer"])
def test_an_embedding_block_elsewhere_is_found_out(block: str) -> None:
    with pytest.raises(FamilyError, match=f"embedding_block = '{block}' does not hold the word embeddings"):
        described("data2vec-text", like="roberta", embedding_block=block)


def test_blocks_side_by_side_are_found_out() -> None:
    """Their writes do add up; only the MLP does not read what the attention wrote."""
    with pytest.raises(FamilyError, match=r"mlp\.read_norm of layer 0 does not read .* leave both out"):
        described("gpt_neox", like="gpt_neox", parallel=False)
    with pytest.raises(FamilyError, match=r"mlp\.read_norm of layer 0 does not read the .* that the layer reads"):
        described("stablelm", parallel=True)
    one_after_the_other = described("gpt_neox", {"use_parallel_residual": False}, like="gpt_neox", parallel=False)
    assert one_after_the_other.anatomy.wiring is not None


def test_another_order_in_a_fused_projection_is_found_out() -> None:
    """GPT-NeoX keeps query, key and value of one head together."""
    with pytest.raises(FamilyError, match="do not hold the heads in the order"):
        described("gpt_neox", like="gpt_neox", attention__fused="by_part")


def test_norms_over_all_heads_are_found_out() -> None:
    """OLMo 2: what a projection gives one head changes the others."""
    parts = [f"self_attn.{name}_proj" for name in "qkv"]
    with pytest.raises(FamilyError, match="or what they give one head reaches others"):
        described("olmo2", {"initializer_range": 0.3}, like="olmo2", attention__projections=parts)


def described_answers(family: str, folder: Path, **changes: Any) -> Any:
    """A judge that answers, under a description that is ours but for `changes`."""
    path = save_tiny_judge(folder / "checkpoint-1", family, causal=True, initializer_range=0.3)
    record = JudgeRecord(kind="prompted", safe_id=20, unsafe_id=30, template="is {prompt} safe ?", max_length=40)
    return load_judge(path, record, family=read_family(family_file(folder, family, like=family, **changes)))


@pytest.mark.parametrize(
    ("family", "change", "sentence"),
    [
        ("granite", {"logits_over": None}, "answers' logits, taken alone, are not those of the whole model"),
        ("cohere2", {"logits_times": None}, "answers' logits, taken alone, are not those of the whole model"),
        ("modernbert-decoder", {"answer_head": []}, "answers' logits, taken alone, are not those"),
        ("granite", {"logits_over": "no_such"}, "logits_over = 'no_such' is no field of the model's config"),
        ("granite", {"residual_multiplier": None}, "does not read the residual stream after attention"),
        ("granite", {"needs": {"hidden_size": 64}}, "needs: hidden_size is 32 in the config, and not 64"),
    ],
)
def test_a_factor_that_is_not_said_is_found_out(
    tmp_path: Path, family: str, change: dict[str, Any], sentence: str
) -> None:
    assert described_answers(family, tmp_path / "right").anatomy.notes == ()
    with pytest.raises(FamilyError, match=sentence):
        described_answers(family, tmp_path / "wrong", **change)


def test_a_checkpoint_of_another_family_in_the_run(tmp_path: Path) -> None:
    path = save_tiny_judge(tmp_path / "checkpoint-1", "bert")
    with pytest.raises(JudgeError, match="checkpoint-1 is a bert in a run of a stablelm"):
        load_judge(path, JudgeRecord(), family=read_family(family_file(tmp_path)))
