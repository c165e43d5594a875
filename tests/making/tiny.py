"""Tiny random judges in real Hugging Face directories, one for each family that Midwatch knows.

Everything is deterministic in `seed`. A judge's directory holds config.json, model.safetensors and a fast tokenizer
with offsets, as `save_pretrained` of plain transformers writes them; a model has about 30,000 parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
)

ENCODERS = ("bert", "roberta", "distilbert", "modernbert", "deberta-v2")
DECODERS = ("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "mistral")
FAMILIES = ENCODERS + DECODERS
"""Those that every test of the computations runs over; each layout is among them once."""
FURTHER_ENCODERS = ("xlm-roberta", "camembert", "electra", "albert", "mpnet", "nomic_bert", "eurobert")
FURTHER_DECODERS = (
    "gpt2",
    "gpt_neox",
    "phi",
    "phi3",
    "gemma3",
    "olmo2",
    "olmo3",
    "smollm3",
    "ministral",
    "seed_oss",
    "arcee",
    "starcoder2",
    "modernbert-decoder",
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
    "gpt_oss",
)
ONLY_CAUSAL = ("granite", "granitemoe", "cohere", "cohere2", "llama4_text", "llama4")
"""Families that transformers has no classifier of: they judge by an answer."""
FURTHER = FURTHER_ENCODERS + FURTHER_DECODERS + ONLY_CAUSAL
TWO_STACKS = ("t5", "mt5", "umt5")
"""Encoder-decoders: classifiers whose decoder reads the words itself, and without a logit lens."""
_ALL_DECODERS = DECODERS + FURTHER_DECODERS + ONLY_CAUSAL

TEXT = (
    "a about and are as bake be bomb bread build can cake code computer cook cut do door explain fix flower "
    "for from garden get give grow gun harm hate help home hot how i in into is it kill lock make me my name "
    "of on open or paint people person plant please poison process python read recipe safe say score song "
    "steal stop story tell that the this tie to tree true false use virus water weapon what when where which "
    "who why with without write you your 0 1 2 3 4 5 6 7 8 9 ? . , ! ' - "
)
WORDS = TEXT.split()
"""The tiny tokenizer's words; anything else is `[UNK]`."""

SIZES: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
"""Shape of every tiny model; layers come from the caller."""


def tiny_tokenizer(
    family: str = "bert", padding_side: str = "right", words: Sequence[str] = WORDS
) -> PreTrainedTokenizerBase:
    """A fast tokenizer with offsets: `[CLS] ... [SEP]` for encoders, `<bos> ...` for decoders; lower-casing.

    Qwen2 gets its own byte-level pieces without a first token, because transformers loads no other kind for it.
    """
    if family == "qwen2":
        return _byte_level_tokenizer(padding_side)
    if family in _ALL_DECODERS:
        special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>"}
        first, last = "<bos>", ""
    else:
        special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        special |= {"mask_token": "[MASK]"}
        first, last = "[CLS]", " [SEP]"
        if family in TWO_STACKS:  # the verdict is read at the end of text
            special |= {"eos_token": "[SEP]"}
    vocabulary = {word: index for index, word in enumerate([*special.values(), *dict.fromkeys(words)])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    ids = [(token, vocabulary[token]) for token in [first, last.strip()] if token]
    raw.post_processor = processors.TemplateProcessing(
        single=f"{first} $A{last}", pair=f"{first} $A{last} $B{last}", special_tokens=ids
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        model_max_length=64,
        padding_side=padding_side,
        model_input_names=["input_ids", "attention_mask"],
        **special,
    )


def _byte_level_tokenizer(padding_side: str) -> PreTrainedTokenizerBase:
    """Qwen2's byte-level BPE over our words."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(  # type: ignore[call-arg]
        vocab_size=600, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    raw.train_from_iterator([word for word in WORDS for _ in range(3)], trainer)
    model = json.loads(raw.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    return Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=merges,  # type: ignore[arg-type]
        model_max_length=64,
        padding_side=padding_side,
    )


def tiny_config(family: str, layers: int = 2, **extra: Any) -> Any:
    """The config of a tiny model of `family`; `extra` overrides any field."""
    tokenizer = tiny_tokenizer(family)
    common: dict[str, Any] = {
        **SIZES,
        "num_hidden_layers": layers,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 80,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if family in _EYES:  # its text part is small, and so is the eye that is never used
        text = {**common, **_particulars(family), **extra}
        outer = {name: text.pop(name) for name in ("num_labels",) if name in text}
        return AutoConfig.for_model(family, text_config=text, vision_config=_EYE | _EYES[family], **outer)
    return AutoConfig.for_model(family, **{**common, **_particulars(family), **extra})


_KV: dict[str, Any] = {"num_key_value_heads": 2}
_EXPERTS: dict[str, Any] = _KV | {"num_local_experts": 4, "num_experts_per_tok": 2}
_GRANITE = {"residual_multiplier": 0.3, "embedding_multiplier": 3.0, "logits_scaling": 4.0}
_EYE: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
_EYE |= {"intermediate_size": 8, "image_size": 14, "patch_size": 14}
_EYES: dict[str, dict[str, Any]] = {
    "gemma3": {},
    "llama4": {
        "intermediate_size": 32,
        "vision_output_dim": 8,
        "projector_input_dim": 8,
        "projector_output_dim": 8,
    },
}
"""What the seeing part of a larger model needs."""
_LLAMA4 = {"num_experts_per_tok": 1, "head_dim": 8, "intermediate_size_mlp": 48, "moe_layers": [1, 2]}
_T5 = {"d_ff": 64, "d_kv": 12, "decoder_start_token_id": 0, "initializer_factor": 1.0}  # heads wider than d_model
_T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 16}
_PARTICULARS: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},
    "albert": {"embedding_size": 16, "classifier_dropout_prob": 0.0},
    "eurobert": _KV | {"head_dim": 8},
    "gpt2": {"n_inner": 64},
    "gpt_neox": {},
    "phi": _KV | {"qk_layernorm": True},
    "phi3": _KV | {"original_max_position_embeddings": 80},
    "smollm3": _KV | {"no_rope_layers": [1, 0, 1, 0], "head_dim": 8},
    "modernbert-decoder": {"local_attention": 16, "global_attn_every_n_layers": 2, "cls_token_id": 2},
    "mixtral": _EXPERTS,
    "gpt_oss": _EXPERTS | {"head_dim": 8, "sliding_window": 16},
    "qwen2_moe": _KV | {"num_experts": 4, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16},
    "qwen3_moe": _KV
    | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 8}
    | {"mlp_only_layers": [1]},
    "granite": _KV | _GRANITE | {"attention_multiplier": 0.2},
    "granitemoe": _EXPERTS | _GRANITE | {"attention_multiplier": 0.2},
    "cohere": _KV | {"logit_scale": 0.3, "use_qk_norm": True},
    "cohere2": _KV | {"logit_scale": 0.3, "head_dim": 8, "sliding_window": 16},
    "llama4_text": _EXPERTS | _LLAMA4,
    "llama4": _EXPERTS | _LLAMA4,
    **dict.fromkeys(TWO_STACKS, _T5),
}


def _particulars(family: str) -> dict[str, Any]:
    """What one family needs beside the common shape."""
    if family == "distilbert":
        return {"dim": 32, "hidden_dim": 64, "n_heads": 4}
    if family == "modernbert":
        return {"local_attention": 16, "global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3}
    if family == "deberta-v2":  # as DeBERTa-v3 is configured: relative positions shared by all layers
        return {
            "relative_attention": True,
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        }
    if family in _PARTICULARS:
        return _PARTICULARS[family]
    if family in _ALL_DECODERS:
        return {"num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": family.startswith("gemma")}
    return {}


def tiny_model(
    family: str = "bert", layers: int = 2, labels: int = 2, seed: int = 0, **extra: Any
) -> PreTrainedModel:
    """A random classifier of `family` in eval mode."""
    config = tiny_config(family, layers, num_labels=labels, **extra)
    if labels == 2:
        config.id2label, config.label2id = {0: "safe", 1: "unsafe"}, {"safe": 0, "unsafe": 1}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForSequenceClassification.from_config(config).eval()


def tiny_causal_lm(family: str = "llama", layers: int = 2, seed: int = 0, **extra: Any) -> PreTrainedModel:
    """A random causal LM of a decoder `family` in eval mode; "true" and "false" are single tokens."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        auto = AutoModelForImageTextToText if family in _EYES else AutoModelForCausalLM
        return auto.from_config(tiny_config(family, layers, **extra)).eval()


def save_tiny_judge(
    path: Path,
    family: str = "bert",
    *,
    layers: int = 2,
    labels: int = 2,
    seed: int = 0,
    causal: bool = False,
    **extra: Any,
) -> Path:
    """Write a tiny judge (model and tokenizer) to `path` and return it; `extra` overrides config fields."""
    model = (
        tiny_causal_lm(family, layers, seed, **extra)
        if causal
        else tiny_model(family, layers, labels, seed, **extra)
    )
    model.save_pretrained(path)
    tokenizer: PreTrainedTokenizerBase = tiny_tokenizer(family)
    tokenizer.save_pretrained(path)
    return path
