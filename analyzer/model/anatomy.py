"""Where the parts of a judge are: one entry a model family, checked against the model itself at every load.

The residual stream is read at the input of each layer and after the last one, before the final norm. A "write" is
what attention or MLP adds to it: in a pre-norm model the block's output, in a post-norm model (BERT) the output
projection's before the LayerNorm, with sandwich norms (Gemma 2 and 3) the output of the norm after the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from analyzer.model.wiring import Wiring, wire

Pooling = Literal["cls", "last_token", "mean", "unknown"]
NormPosition = Literal["pre", "post", "sandwich", "unknown"]
Head = Callable[[Tensor], Tensor]
"""(n, d_model) of what the head reads (after the final norm and pooling) -> (n, 2) logits."""


@dataclass(frozen=True)
class Family:
    """One model family: module paths below the base model (embeddings, layers, norm) or below a layer (writes)."""

    embedding_block: str
    """Everything before the first layer."""
    embeddings: str
    """The module whose output is the word embeddings."""
    layers: str
    attention_write: str
    mlp_write: str
    norm_position: NormPosition
    pooling: Pooling
    head: Callable[[nn.Module], Head]
    final_norm: str | None = None


def _bert_head(model: nn.Module) -> Head:
    return lambda pooled: model.classifier(model.bert.pooler(pooled[:, None]))  # type: ignore[operator, union-attr]


def _roberta_head(model: nn.Module) -> Head:
    return lambda pooled: model.classifier(pooled[:, None])  # type: ignore[operator]


def _distilbert_head(model: nn.Module) -> Head:
    return lambda pooled: model.classifier(torch.relu(model.pre_classifier(pooled)))  # type: ignore[operator]


def _modernbert_head(model: nn.Module) -> Head:
    return lambda pooled: model.classifier(model.head(pooled))  # type: ignore[operator]


def _deberta_head(model: nn.Module) -> Head:
    return lambda pooled: model.classifier(model.pooler(pooled[:, None]))  # type: ignore[operator]


def _score_head(model: nn.Module) -> Head:
    return lambda pooled: model.score(pooled)  # type: ignore[operator]


_BERT_LAYER = ("attention.output.dense", "output.dense", "post", "cls")
_ENCODER = ("embeddings", "embeddings.word_embeddings", "encoder.layer", *_BERT_LAYER)
_DECODER = ("embed_tokens", "embed_tokens", "layers")
_PRE_NORM = Family(*_DECODER, "self_attn", "mlp", "pre", "last_token", _score_head, "norm")
_SANDWICH = Family(
    *_DECODER,
    "post_attention_layernorm",
    "post_feedforward_layernorm",
    "sandwich",
    "last_token",
    _score_head,
    "norm",
)

FAMILIES: dict[str, Family] = {
    "bert": Family(*_ENCODER, _bert_head),
    "roberta": Family(*_ENCODER, _roberta_head),
    "xlm-roberta": Family(*_ENCODER, _roberta_head),
    "deberta-v2": Family(*_ENCODER, _deberta_head),
    "distilbert": Family(
        "embeddings",
        "embeddings.word_embeddings",
        "transformer.layer",
        "attention.out_lin",
        "ffn",
        "post",
        "cls",
        _distilbert_head,
    ),
    "modernbert": Family(
        "embeddings",
        "embeddings.tok_embeddings",
        "layers",
        "attn",
        "mlp",
        "pre",
        "cls",  # or "mean": the config's classifier_pooling decides
        _modernbert_head,
        "final_norm",
    ),
    "llama": _PRE_NORM,
    "mistral": _PRE_NORM,
    "qwen2": _PRE_NORM,
    "qwen3": _PRE_NORM,
    "gemma": _PRE_NORM,
    "gemma2": _SANDWICH,
    "gemma3_text": _SANDWICH,
}
"""By the config's `model_type`."""


@dataclass(frozen=True)
class Anatomy:
    """The parts of one loaded judge. What is None is unknown or failed its self-check; `notes` says why."""

    family: str
    embeddings: nn.Module
    """Its output is the word embeddings (batch, tokens, d_model)."""
    layers: Sequence[nn.Module]
    """Empty for an unknown family."""
    attention_writes: Sequence[nn.Module] | None
    mlp_writes: Sequence[nn.Module] | None
    final_norm: nn.Module | None
    pooling: Pooling
    norm_position: NormPosition
    head: Head | None
    pad_id: int
    """Id that pads a batch, and that the model skips where it looks for the last token."""
    prefixes: tuple[str, str, str, tuple[str, ...]] = ("", "", "", ())
    """Tensor-name prefixes: base model, embedding block, layers, and what comes after the layers."""
    prompted: bool = False
    """Whether the verdict is the answer after the last real token, whatever its id."""
    wiring: Wiring | None = None
    """Heads and neurons; None where they are unknown or failed their self-check."""
    notes: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        return len(self.layers)

    def place_of(self, name: str) -> int | Literal["embeddings", "head"]:
        """Where a tensor of the state dict acts: layer index, "embeddings" or "head".

        A tensor of the base model that all layers share (DeBERTa's relative positions) acts from layer 0 on.
        """
        base, embeddings, layers, after = self.prefixes
        if name.startswith(layers):
            index = name[len(layers) :].partition(".")[0]
            return int(index) if index.isdecimal() else 0
        if name.startswith(embeddings):
            return "embeddings"
        if not name.startswith(base) or name.startswith(after):
            return "head"
        return 0


def answer_head(model: nn.Module, answers: tuple[int, int]) -> Head:
    """The head of a causal LM that answers with one of two tokens (safe, unsafe): these two logits alone."""
    unembedding = model.get_output_embeddings()  # type: ignore[operator]
    cap = getattr(model.config, "final_logit_softcapping", None)
    rows = list(answers)

    def head(pooled: Tensor) -> Tensor:
        bias = unembedding.bias
        logits = nn.functional.linear(pooled, unembedding.weight[rows], None if bias is None else bias[rows])
        return logits if cap is None else cap * torch.tanh(logits / cap)

    return head


def dissect(model: nn.Module, pad_id: int, answers: tuple[int, int] | None = None) -> Anatomy:
    """Find the parts of a judge. An unknown family gets embeddings only, and a note.

    `answers` are the token ids of the safe and the unsafe answer of a prompted judge; None for a classifier.
    """
    family_name = str(getattr(model.config, "model_type", "unknown"))
    family = FAMILIES.get(family_name)
    base = getattr(model, "base_model_prefix", "")
    if family is None or not hasattr(model, base):
        return _unknown(model, family_name, pad_id)
    try:
        found = _known(model, family_name, family, base, pad_id)
    except AttributeError:  # a variant of the family whose modules are called differently
        return _unknown(model, family_name, pad_id)
    return found if answers is None else replace(found, head=answer_head(model, answers), prompted=True)


def _known(model: nn.Module, name: str, family: Family, base: str, pad_id: int) -> Anatomy:
    trunk = model.get_submodule(base)
    layers = list(trunk.get_submodule(family.layers).children())
    mean = name == "modernbert" and getattr(model.config, "classifier_pooling", "cls") == "mean"
    after = tuple(f"{base}.{part}." for part in (family.final_norm, "pooler") if part)
    return Anatomy(
        family=name,
        embeddings=trunk.get_submodule(family.embeddings),
        layers=layers,
        attention_writes=[layer.get_submodule(family.attention_write) for layer in layers],
        mlp_writes=[layer.get_submodule(family.mlp_write) for layer in layers],
        final_norm=trunk.get_submodule(family.final_norm) if family.final_norm else None,
        pooling="mean" if mean else family.pooling,
        norm_position=family.norm_position,
        head=family.head(model),
        pad_id=pad_id,
        prefixes=(f"{base}.", f"{base}.{family.embedding_block}.", f"{base}.{family.layers}.", after),
        wiring=wire(layers, name, model.config),
    )


def _unknown(model: nn.Module, name: str, pad_id: int) -> Anatomy:
    note = (
        f"The model family {name!r} is not known: residual norms are the hidden states that the model itself "
        "reports, the pooled representation is the mean over tokens, and there is no logit lens; add an entry to "
        "FAMILIES in analyzer/model/anatomy.py to have all of it."
    )
    embeddings = model.get_input_embeddings()  # type: ignore[operator]
    return Anatomy(name, embeddings, (), None, None, None, "unknown", "unknown", None, pad_id, notes=(note,))
