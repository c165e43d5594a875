"""The model families that Midwatch knows: one entry each. Imports no torch: the commands read it, too.

What an entry says is checked against the model itself at every load (`analyzer/model/selfcheck.py`). A family that
is missing here can be described in a file, without a fork: docs/families.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from analyzer.jobs.family import AttentionPaths, Family, MlpPaths

_BERT_ATTENTION = AttentionPaths(
    module="attention.self",
    projections=("attention.self.query", "attention.self.key", "attention.self.value"),
    out="attention.output.dense",
    trunk_norm="attention.output.LayerNorm",
)
_BERT_MLP = MlpPaths(module="intermediate", out="output.dense", trunk_norm="output.LayerNorm")

_ATTENTION = AttentionPaths(
    module="self_attn",
    projections=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    out="self_attn.o_proj",
    read_norm="input_layernorm",
)
_MLP = MlpPaths(module="mlp", out="mlp.down_proj", read_norm="post_attention_layernorm")
_SANDWICH: dict[str, Any] = {
    "attention": _ATTENTION.model_copy(update={"branch_norm": "post_attention_layernorm"}),
    "mlp": _MLP.model_copy(
        update={"read_norm": "pre_feedforward_layernorm", "branch_norm": "post_feedforward_layernorm"}
    ),
}
_AFTER_THE_BLOCK: dict[str, Any] = {
    "attention": _ATTENTION.model_copy(
        update={"projections": (), "read_norm": None, "branch_norm": "post_attention_layernorm"}
    ),
    "no_edges": "the norms of its queries and keys reach over all heads",
    "mlp": _MLP.model_copy(update={"read_norm": None, "branch_norm": "post_feedforward_layernorm"}),
}
_SIDE_BY_SIDE: dict[str, Any] = {
    "parallel": True,
    "mlp": _MLP.model_copy(update={"read_norm": "input_layernorm"}),
}
_EXPERTS = MlpPaths(module="mlp", read_norm="post_attention_layernorm")


def _encoder(name: str, *head: str, **changes: Any) -> Family:
    """A family laid out as BERT: norms after each block, the first token read."""
    parts: dict[str, Any] = {
        "embedding_block": "embeddings",
        "embeddings": "embeddings.word_embeddings",
        "layers": "encoder.layer",
        "attention": _BERT_ATTENTION,
        "mlp": _BERT_MLP,
        "head_reads": "tokens",
        "neurons": "plain",
    }
    return Family(name=name, head=head, pooling="cls", **parts | changes)


def _decoder(name: str, **changes: Any) -> Family:
    """A family laid out as Llama: norms before each block, a gated MLP, the last token read."""
    parts: dict[str, Any] = {
        "embeddings": "embed_tokens",
        "layers": "layers",
        "final_norm": "norm",
        "pooling": "last_token",
        "head": ("score",),
        "attention": _ATTENTION,
        "mlp": _MLP,
    }
    return Family(name=name, **parts | changes)


def _before_a_decoder(name: str, **changes: Any) -> Family:
    """The encoder of T5: norms before each block, without an offset; a decoder reads what it makes."""
    parts: dict[str, Any] = {
        "embeddings": "encoder.embed_tokens",
        "beside_embeddings": ("shared", "decoder.embed_tokens"),  # mostly the same weights
        "layers": "encoder.block",
        "final_norm": "encoder.final_layer_norm",
        "decoder": "decoder",
        "pooling": "mean",
        "attention": AttentionPaths(
            module="layer.0.SelfAttention",
            projections=("layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v"),
            out="layer.0.SelfAttention.o",
            read_norm="layer.0.layer_norm",
        ),
        "mlp": MlpPaths(
            module="layer.1.DenseReluDense", out="layer.1.DenseReluDense.wo", read_norm="layer.1.layer_norm"
        ),
        "neurons_option": "is_gated_act",
    }
    return Family(name=name, **parts | changes)


_ENCODERS = (
    _encoder("bert", "bert.pooler", "classifier"),
    _encoder("roberta", "classifier"),
    _encoder("xlm-roberta", "classifier"),
    _encoder("camembert", "classifier"),
    _encoder("electra", "classifier", beside_embeddings=("embeddings_project",)),
    _encoder(
        "albert",
        "albert.pooler",
        "tanh",
        "classifier",
        needs={"inner_group_num": 1},
        beside_embeddings=("encoder.embedding_hidden_mapping_in",),
        layers="encoder.albert_layer_groups",
        shared_layers="num_hidden_groups",
        head_reads="vector",
        attention=AttentionPaths(
            module="albert_layers.0.attention",
            projections=(
                "albert_layers.0.attention.query",
                "albert_layers.0.attention.key",
                "albert_layers.0.attention.value",
            ),
            out="albert_layers.0.attention.dense",
            trunk_norm="albert_layers.0.attention.LayerNorm",
        ),
        mlp=MlpPaths(
            module="albert_layers.0.ffn",
            out="albert_layers.0.ffn_output",
            trunk_norm="albert_layers.0.full_layer_layer_norm",
        ),
    ),
    _encoder(
        "mpnet",
        "classifier",
        attention=AttentionPaths(
            module="attention.attn",
            projections=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
            out="attention.attn.o",
            trunk_norm="attention.LayerNorm",
        ),
        layers_return_pairs=True,
    ),
    _encoder(
        "deberta-v2",
        "pooler",
        "classifier",
        attention=_BERT_ATTENTION.model_copy(update={"projections": ()}),
        no_edges="its disentangled attention reads positions through the same projections",
        layers_return_pairs=True,
    ),
    _encoder(
        "distilbert",
        "pre_classifier",
        "relu",
        "classifier",
        layers="transformer.layer",
        head_reads="vector",
        attention=AttentionPaths(
            module="attention",
            projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
            out="attention.out_lin",
            trunk_norm="sa_layer_norm",
        ),
        mlp=MlpPaths(module="ffn", out="ffn.lin2", trunk_norm="output_layer_norm"),
    ),
    _encoder(
        "nomic_bert",
        "nomic_bert.pooler",
        "classifier",
        layers="layers",
        attention=_ATTENTION.model_copy(update={"read_norm": None, "trunk_norm": "post_attention_layernorm"}),
        mlp=_MLP.model_copy(update={"read_norm": None, "trunk_norm": "post_mlp_layernorm"}),
        neurons="gated",
    ),
    Family(
        name="modernbert",
        embedding_block="embeddings",
        embeddings="embeddings.tok_embeddings",
        layers="layers",
        final_norm="final_norm",
        pooling="cls",
        pooling_option="classifier_pooling",
        head=("head", "classifier"),
        attention=AttentionPaths(module="attn", projections=("attn.Wqkv",), out="attn.Wo", read_norm="attn_norm"),
        mlp=MlpPaths(module="mlp", out="mlp.Wo", read_norm="mlp_norm"),
    ),
    _decoder(
        "eurobert",
        pooling="cls",
        pooling_option="classifier_pooling",
        head=("dense", "activation", "classifier"),
    ),
)

_DECODERS = (
    _decoder("llama"),
    _decoder("mistral"),
    _decoder("ministral"),
    _decoder("qwen2"),
    _decoder("qwen3"),
    _decoder("smollm3"),
    _decoder("seed_oss"),
    _decoder("arcee", neurons="plain"),
    _decoder("gemma"),
    _decoder("gemma2", **_SANDWICH),
    _decoder("gemma3_text", **_SANDWICH),
    _decoder(
        "gemma3",  # the text part of a model that also sees
        embeddings="language_model.embed_tokens",
        layers="language_model.layers",
        final_norm="language_model.norm",
        **_SANDWICH,
    ),
    _decoder("olmo2", **_AFTER_THE_BLOCK),
    _decoder("olmo3", **_AFTER_THE_BLOCK),
    _decoder("granite", head=(), residual_multiplier="residual_multiplier", logits_over="logits_scaling"),
    _decoder("cohere", head=(), **_SIDE_BY_SIDE, logits_times="logit_scale"),
    _decoder("cohere2", head=(), **_SIDE_BY_SIDE, logits_times="logit_scale"),
    _decoder("phi3", attention=_ATTENTION.model_copy(update={"projections": ("self_attn.qkv_proj",)})),
    _decoder(
        "phi",
        final_norm="final_layernorm",
        parallel=True,
        attention=_ATTENTION.model_copy(update={"out": "self_attn.dense"}),
        mlp=MlpPaths(module="mlp", out="mlp.fc2", read_norm="input_layernorm"),
        neurons="plain",
    ),
    _decoder("starcoder2", mlp=_MLP.model_copy(update={"out": "mlp.c_proj"}), neurons="plain"),
    _decoder(
        "gpt_neox",
        embeddings="embed_in",
        final_norm="final_layer_norm",
        parallel="use_parallel_residual",
        attention=AttentionPaths(
            module="attention",
            projections=("attention.query_key_value",),
            fused="by_head",
            out="attention.dense",
            read_norm="input_layernorm",
        ),
        mlp=_MLP.model_copy(update={"out": "mlp.dense_4h_to_h"}),
        neurons="plain",
    ),
    _decoder(
        "gpt2",
        needs={"add_cross_attention": False},
        embeddings="wte",
        beside_embeddings=("wpe",),
        layers="h",
        final_norm="ln_f",
        attention=AttentionPaths(module="attn", projections=("attn.c_attn",), out="attn.c_proj", read_norm="ln_1"),
        mlp=MlpPaths(module="mlp", out="mlp.c_proj", read_norm="ln_2"),
        neurons="plain",
    ),
    _decoder(
        "modernbert-decoder",
        embedding_block="embeddings",
        embeddings="embeddings.tok_embeddings",
        final_norm="final_norm",
        head=("head", "classifier"),
        answer_head=("lm_head",),
        attention=AttentionPaths(
            module="attn",
            projections=("attn.q_proj", "attn.k_proj", "attn.v_proj"),
            out="attn.Wo",
            read_norm="attn_norm",
        ),
        mlp=MlpPaths(module="mlp", out="mlp.Wo", read_norm="mlp_norm"),
    ),
)

_MIXTURES = (
    _decoder("mixtral", mlp=_EXPERTS),
    _decoder("qwen2_moe", mlp=_EXPERTS),
    _decoder("qwen3_moe", mlp=_EXPERTS),
    _decoder("gpt_oss", mlp=_EXPERTS),
    _decoder(
        "granitemoe",
        head=(),
        residual_multiplier="residual_multiplier",
        logits_over="logits_scaling",
        mlp=_EXPERTS.model_copy(update={"module": "block_sparse_moe"}),
    ),
    _decoder("llama4_text", head=(), mlp=_EXPERTS.model_copy(update={"module": "feed_forward"})),
    _decoder("llama4", head=(), mlp=_EXPERTS.model_copy(update={"module": "feed_forward"})),  # it sees, too
)

_HANDED_ON: dict[str, Any] = {"position_bias": "layer.0.SelfAttention", "layers_return_pairs": True}
_TWO_STACKS = (
    _before_a_decoder("t5", **_HANDED_ON),
    _before_a_decoder("mt5", **_HANDED_ON),
    _before_a_decoder("umt5"),
)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {family.name: family for family in (*_ENCODERS, *_DECODERS, *_MIXTURES, *_TWO_STACKS)}
)
"""By the config's `model_type`."""
