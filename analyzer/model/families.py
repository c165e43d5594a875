"""The model families that Midwatch knows: one entry each. Imports no torch: the commands read it, too.

What an entry says is checked against the model itself at every load (`analyzer/model/selfcheck.py`). A family that
is missing here can be described in a file, without a fork: docs/families.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from analyzer.jobs.family import AttentionPaths, BlockPaths, Family

_BERT_ATTENTION = AttentionPaths(
    module="attention.self",
    projections=("attention.self.query", "attention.self.key", "attention.self.value"),
    out="attention.output.dense",
    trunk_norm="attention.output.LayerNorm",
)
_BERT_MLP = BlockPaths(module="intermediate", out="output.dense", trunk_norm="output.LayerNorm")

_ATTENTION = AttentionPaths(
    module="self_attn",
    projections=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    out="self_attn.o_proj",
    read_norm="input_layernorm",
)
_MLP = BlockPaths(module="mlp", out="mlp.down_proj", read_norm="post_attention_layernorm")
_SANDWICH: dict[str, Any] = {
    "attention": _ATTENTION.model_copy(update={"branch_norm": "post_attention_layernorm"}),
    "mlp": _MLP.model_copy(
        update={"read_norm": "pre_feedforward_layernorm", "branch_norm": "post_feedforward_layernorm"}
    ),
}


def _encoder(name: str, *head: str, **changes: Any) -> Family:
    """A family laid out as BERT: norms after each block, the first token read."""
    parts: dict[str, Any] = {
        "embedding_block": "embeddings",
        "embeddings": "embeddings.word_embeddings",
        "layers": "encoder.layer",
        "attention": _BERT_ATTENTION,
        "mlp": _BERT_MLP,
        "head_reads": "tokens",
    }
    return Family(name=name, head=head, pooling="cls", neurons="plain", **parts | changes)


def _decoder(name: str, **changes: Any) -> Family:
    """A family laid out as Llama: norms before each block, a gated MLP, the last token read."""
    parts: dict[str, Any] = {"attention": _ATTENTION, "mlp": _MLP}
    return Family(
        name=name,
        embeddings="embed_tokens",
        layers="layers",
        final_norm="norm",
        pooling="last_token",
        head=("score",),
        **parts | changes,
    )


_ALL = (
    _encoder("bert", "bert.pooler", "classifier"),
    _encoder("roberta", "classifier"),
    _encoder("xlm-roberta", "classifier"),
    _encoder(
        "deberta-v2",
        "pooler",
        "classifier",
        # disentangled attention reads positions through the same projections: no edges into its heads
        attention=_BERT_ATTENTION.model_copy(update={"projections": ()}),
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
        mlp=BlockPaths(module="ffn", out="ffn.lin2", trunk_norm="output_layer_norm"),
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
        mlp=BlockPaths(module="mlp", out="mlp.Wo", read_norm="mlp_norm"),
    ),
    _decoder("llama"),
    _decoder("mistral"),
    _decoder("qwen2"),
    _decoder("qwen3"),
    _decoder("gemma"),
    _decoder("gemma2", **_SANDWICH),
    _decoder("gemma3_text", **_SANDWICH),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _ALL})
"""By the config's `model_type`."""
