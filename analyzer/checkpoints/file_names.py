"""Names of the files in a checkpoint directory, as Hugging Face's libraries write them."""

from __future__ import annotations

import re

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SHARDS = re.compile(r".*\.distcp|mp_rank_[0-9]+.*\.pt|zero_pp_rank_.*\.pt")
"""What FSDP and DeepSpeed leave where the weights are still in shards, in a checkpoint or one folder below it."""
TRAINER_STATE = "trainer_state.json"
"""The Trainer writes it last."""
INCOMPLETE_MARK = "checkpoint-is-incomplete.txt"

VOCABULARY_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
)
"""One of these must be there: without any, transformers builds a tokenizer that knows no word."""
TOKENIZER_FILES = (
    *VOCABULARY_FILES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
