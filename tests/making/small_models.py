"""A tiny random model of any family that transformers knows: its default config, shrunk field by field."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PreTrainedConfig

SMALL: dict[str, int] = {
    **dict.fromkeys(("hidden_size", "d_model", "dim", "n_embd", "embedding_size", "emb_dim", "d_embed"), 32),
    **dict.fromkeys(("word_embed_proj_dim", "true_hidden_size", "intra_bottleneck_size", "input_embedding_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"), 2),
    **dict.fromkeys(("decoder_layers", "num_decoder_layers", "num_encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads",), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "d_inner", "ffn_hidden_size", "hidden_dim"), 64),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "n_inner", "dff", "ffn_dim"), 64),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "max_sequence_length"), 96),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_k", "num_selected_experts"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_dim"), 16),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
}
"""Field of a config -> its value in a tiny model, wherever the family has such a field."""


def small_config(model_type: str, vocabulary: int, **extra: Any) -> PreTrainedConfig:
    """The config of a tiny model of `model_type` with `vocabulary` tokens."""
    plain = AutoConfig.for_model(model_type)
    return type(plain)(**_shrunk(plain, vocabulary), **extra)


def _shrunk(config: Any, vocabulary: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in vars(config).items():
        if isinstance(value, PreTrainedConfig):
            found[name] = type(value)(**_shrunk(value, vocabulary))
    names = set(vars(config)) | set(getattr(config, "attribute_map", {}))
    for name in names:
        if name == "vocab_size":
            found[name] = vocabulary
        elif name in SMALL and isinstance(vars(config).get(name, 1), int):
            found[name] = SMALL[name]
    found |= {"pad_token_id": 0, "eos_token_id": 3, "bos_token_id": 2}
    return found
