"""Freeze the embeddings and the first N layers of a model.

One row a family: where its embeddings and its list of layers are, below `model.base_model`. Whatever stands beside
them (a final norm, DeBERTa's shared table of relative positions, a pooler, the head) keeps training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.errors import UsageError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


class Layout(NamedTuple):
    """Attribute paths below `model.base_model`."""

    embeddings: str
    layers: str
    beside: tuple[str, ...] = ()
    """Other modules that act before the first layer; one that a model does without may be missing."""


ENCODER = Layout("embeddings", "encoder.layer")
DECODER = Layout("embed_tokens", "layers")
BEFORE_A_DECODER = Layout("encoder.embed_tokens", "encoder.block", ("shared", "decoder.embed_tokens"))

LAYOUTS: dict[str, Layout] = {
    "bert": ENCODER,
    "roberta": ENCODER,
    "xlm-roberta": ENCODER,
    "deberta-v2": ENCODER,
    "distilbert": Layout("embeddings", "transformer.layer"),
    "modernbert": Layout("embeddings", "layers"),
    "llama": DECODER,
    "mistral": DECODER,
    "qwen2": DECODER,
    "qwen3": DECODER,
    "gemma": DECODER,
    "gemma2": DECODER,
    "gemma3_text": DECODER,
    "gemma3": Layout("language_model.embed_tokens", "language_model.layers"),
    "camembert": ENCODER,
    "electra": Layout("embeddings", "encoder.layer", ("embeddings_project",)),
    "albert": Layout("embeddings", "encoder.albert_layer_groups", ("encoder.embedding_hidden_mapping_in",)),
    "mpnet": ENCODER,
    "nomic_bert": Layout("embeddings", "layers"),
    "gpt2": Layout("wte", "h", ("wpe",)),
    "gpt_neox": Layout("embed_in", "layers"),
    "modernbert-decoder": Layout("embeddings", "layers"),
    "eurobert": DECODER,
    "ministral": DECODER,
    "smollm3": DECODER,
    "seed_oss": DECODER,
    "arcee": DECODER,
    "olmo2": DECODER,
    "olmo3": DECODER,
    "granite": DECODER,
    "cohere": DECODER,
    "cohere2": DECODER,
    "phi": DECODER,
    "phi3": DECODER,
    "starcoder2": DECODER,
    "mixtral": DECODER,
    "qwen2_moe": DECODER,
    "qwen3_moe": DECODER,
    "gpt_oss": DECODER,
    "granitemoe": DECODER,
    "llama4_text": DECODER,
    "llama4": DECODER,
    "t5": BEFORE_A_DECODER,
    "mt5": BEFORE_A_DECODER,
    "umt5": BEFORE_A_DECODER,
}
"""By `config.model_type`."""


class Frozen(NamedTuple):
    """What `freeze` did."""

    layers: int
    """Frozen leading layers."""
    of_layers: int
    """Layers of the model."""
    parameters: int
    """Frozen parameters, embeddings included."""
    of_parameters: int
    """Parameters of the model."""

    def __str__(self) -> str:
        if not self.parameters:
            return f"nothing frozen; all {self.of_parameters / 1e6:.1f} M parameters train"
        trained = self.of_parameters - self.parameters
        return (
            f"embeddings and {self.layers} of {self.of_layers} layers frozen; "
            f"{trained / 1e6:.1f} of {self.of_parameters / 1e6:.1f} M parameters train"
        )


def freeze(model: PreTrainedModel, layers: int) -> Frozen:
    """Stop gradients of the embeddings and the first `layers` layers; 0 freezes nothing.

    Raises UsageError when `layers` is more than the model has, or when the family is not in the table.
    """
    layout = LAYOUTS.get(model.config.model_type)
    if layout is None:
        if layers:
            known = ", ".join(sorted(LAYOUTS))
            raise UsageError(
                f"--freeze-layers does not know models of type {model.config.model_type!r}; "
                f"use --freeze-layers 0, or a model of type {known}."
            )
        return Frozen(0, 0, 0, _count(model))
    base = model.base_model
    if base is model:  # a causal model that is part of a larger one, or the larger one (Llama 4)
        whole = getattr(model, "language_model", model)
        base = getattr(whole, "model", whole)
    stack = base.get_submodule(layout.layers)
    total = len(list(stack.children()))
    if layers > total:
        raise UsageError(f"--freeze-layers {layers} is more than the model's {total} layers; use 0 to {total}.")
    if layers:
        base.get_submodule(layout.embeddings).requires_grad_(False)
        there = dict(base.named_modules())
        for path in layout.beside:
            if path in there:
                there[path].requires_grad_(False)
        for layer in list(stack.children())[:layers]:
            layer.requires_grad_(False)
    return Frozen(layers, total, _count(model, frozen=True), _count(model))


def _count(model: nn.Module, *, frozen: bool = False) -> int:
    """Number of parameters, or of frozen ones."""
    return sum(p.numel() for p in model.parameters() if not (frozen and p.requires_grad))
