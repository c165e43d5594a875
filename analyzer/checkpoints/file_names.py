"""Names of the files in a checkpoint directory, as Hugging Face's libraries write them."""

from __future__ import annotations

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
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
