"""A tiny random model of any family that transformers knows: its default config, shrunk field by field."""

from __future__ import annotations

import re
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

SMALL: dict[str, int] = {
    **dict.fromkeys(("hidden_size", "d_model", "dim", "n_embd", "embedding_size", "emb_dim", "d_embed"), 32),
    **dict.fromkeys(("word_embed_proj_dim", "true_hidden_size", "intra_bottleneck_size", "hidden_size_gate"), 32),
    **dict.fromkeys(("input_embedding_size", "output_embedding_size", "lru_width", "attention_hidden_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"), 2),
    **dict.fromkeys(("decoder_layers", "num_decoder_layers", "num_encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("decoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "d_inner", "ffn_hidden_size", "hidden_dim"), 64),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "n_inner", "dff", "n_ff"), 64),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "max_sequence_length"), 96),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_k", "num_selected_experts"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_dim"), 16),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "attention_window"), 16),
    **dict.fromkeys(("rotary_dim", "linear_num_value_heads"), 4),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_heads"), 2),
    **dict.fromkeys(
        ("linear_key_head_dim", "linear_value_head_dim", "linear_head_dim", "num_latents", "state_size"), 8
    ),
    **dict.fromkeys(("ssm_state_size", "mamba_d_state"), 8),
    **dict.fromkeys(("mamba_chunk_size", "chunk_size"), 16),
    **dict.fromkeys(("d_latents",), 32),
    **dict.fromkeys(("n_group", "topk_group"), 1),
}
"""Field of a config -> its value in a tiny model, wherever the family has such a field."""

OTHERWISE: dict[str, dict[str, Any]] = {
    "falcon_h1": {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_ssm": 64},
    "lilt": {"hidden_size": 48, "num_attention_heads": 4},
    "layoutlmv3": {"coordinate_size": 4, "shape_size": 8, "visual_embed": False},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "esmc": {"num_key_value_heads": 4},
    "bamba": {"mamba_n_heads": 4, "mamba_d_head": 16},
    "granitemoehybrid": {"mamba_n_heads": 4, "mamba_d_head": 16},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "dots1": {"n_shared_experts": 1, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "mistral4": {"head_dim": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8},
    "zaya": {"num_experts_per_tok": 1},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 12], "is_decoder": True},
}
"""What a family needs beside."""


def small_config(model_type: str, vocabulary: int, **extra: Any) -> PreTrainedConfig:
    """The config of a tiny model of `model_type` with `vocabulary` tokens: 0 begins, 1 pads, 2 ends a prompt."""
    plain = AutoConfig.for_model(model_type)
    return type(plain)(**_shrunk(plain, vocabulary) | OTHERWISE.get(model_type, {}) | extra)


def _shrunk(config: Any, vocabulary: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    fields = vars(config)
    depth = int(getattr(config, "num_hidden_layers", 0) or 0)
    for name, value in fields.items():
        if isinstance(value, PreTrainedConfig):
            found[name] = type(value)(**_shrunk(value, vocabulary))
        elif isinstance(value, list) and len(value) == depth > 2:  # one entry a layer
            found[name] = [value[0], value[-1]]
    for name in set(fields) | set(getattr(config, "attribute_map", {})):
        if name == "vocab_size":
            found[name] = vocabulary
        elif name in SMALL and isinstance(fields.get(name, 1), int | None):
            found[name] = SMALL[name]
    if config.model_type.endswith("_text") and re.search("vl|glm|ocr", config.model_type):
        found["rope_parameters"] = {**(config.rope_parameters or {}), "mrope_section": [2, 1, 1]}  # half a head
    if "kv_lora_rank" in fields and "num_key_value_heads" in found:  # latent attention: each head has its own
        found["num_key_value_heads"] = SMALL["num_attention_heads"]
    if getattr(config, "is_encoder_decoder", False):
        found["decoder_start_token_id"] = 1
    return found | {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
