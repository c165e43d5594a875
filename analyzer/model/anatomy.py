"""Where the parts of a judge are, as its family's entry says; checked against the model itself at every load.

The residual stream is read at the input of each layer and after the last one, before the final norm. A "write" is
what attention or MLP adds to it: in a pre-norm model the block's output, in a post-norm model (BERT) the output
projection's before the LayerNorm, with sandwich norms (Gemma 2 and 3) the output of the norm after the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from analyzer.jobs.family import BlockPaths, Family, NormPosition, Pooling
from analyzer.model.families import FAMILIES
from analyzer.model.linear_maps import bias_of, weight_of
from analyzer.model.shared_layers import one_a_depth
from analyzer.model.trunk import trunk_name
from analyzer.model.wiring import Wiring, block_of, gated, residual_scale, wire
from shared.findings.neurons import Reading

Head = Callable[[Tensor], Tensor]
"""(n, d_model) of what the head reads (after the final norm and pooling) -> (n, classes or answers) logits."""
LATE = "late"
FUNCTIONS: dict[str, Head] = {"relu": torch.relu, "gelu": nn.functional.gelu, "tanh": torch.tanh}
"""Steps of a head that are no modules."""


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
    pooling: Pooling | Literal["unknown"]
    norm_position: NormPosition
    head: Head | None
    pad_id: int
    """Id that pads a batch, and that the model skips where it looks for the last token."""
    prefixes: tuple[str, tuple[str, ...], str, tuple[str, ...]] = ("", (), "", ())
    """Tensor-name prefixes: base model, what comes before the layers, layers, and what comes after the layers."""
    prompted: bool = False
    """Whether the verdict is the answer after the last real token, whatever its id."""
    wiring: Wiring | None = None
    """Heads and neurons; None where they are unknown or failed their self-check."""
    reading: Reading = "mean"
    """How neurons are read."""
    layers_return_pairs: bool = False
    """Whether a layer returns (hidden states, ...), rather than the hidden states alone."""
    pools_logits: bool = False
    """Whether the head reads every token, and their logits are averaged (EuroBERT's "late" pooling)."""
    residual_scale: float = 1.0
    """By what a write is multiplied before it is added to the residual stream."""
    described: Family | None = None
    """What the parts were found by: ours, or a user's; None for an unknown family."""
    notes: tuple[str, ...] = ()
    decoder_embeddings: nn.Module | None = None
    """Encoder-decoders: what gives the decoder its word embeddings, which may be `embeddings` itself."""
    position_bias: nn.Module | None = None
    """The first layer's attention, where each layer hands on the biases of positions that it makes."""
    read_at: int | None = None
    """Encoder-decoders: id of the token in whose place, the last time it comes, the decoder's state is read."""
    tokens_first: bool = False
    """Whether `embeddings` are looked up as (tokens, prompts) rather than (prompts, tokens), as XLNet does."""
    no_gradients: str = ""
    """Why the score cannot be differentiated by the word embeddings; empty where it can."""

    @property
    def depth(self) -> int:
        return len(self.layers)

    @property
    def words_beside(self) -> bool:
        """Whether the words reach the verdict beside the layers, too: a decoder reads them itself."""
        return self.decoder_embeddings is not None

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


def answer_head(model: nn.Module, answers: tuple[int, ...], family: Family) -> Head:
    """The head of a causal LM that answers with one of these tokens: their logits alone, in this order.

    Raises AttributeError for a path to nothing, or a field that the config lacks.
    """
    unembedding = model.get_output_embeddings()  # type: ignore[operator]
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    cap = getattr(config, "final_logit_softcapping", None)
    steps = [model.get_submodule(step) for step in family.answer_head]
    factor = float(getattr(config, family.logits_times)) if family.logits_times else 1.0
    factor /= float(getattr(config, family.logits_over)) if family.logits_over else 1.0
    rows = list(answers)

    def head(pooled: Tensor) -> Tensor:
        for step in steps:
            pooled = step(pooled)
        bias = bias_of(unembedding)
        logits = nn.functional.linear(pooled, weight_of(unembedding)[rows], None if bias is None else bias[rows])
        logits = logits if factor == 1.0 else logits * factor
        return logits if cap is None else cap * torch.tanh(logits / cap)

    return head


def head_of(model: nn.Module, family: Family) -> Head | None:
    """The head of a classifier; None where the entry does not say. Raises AttributeError for a path to nothing."""
    steps = [FUNCTIONS.get(step) or model.get_submodule(step) for step in family.head]

    def head(pooled: Tensor) -> Tensor:
        state = pooled[:, None] if family.head_reads == "tokens" else pooled
        for step in steps:
            state = step(state)
        return state

    return head if steps else None


def dissect(
    model: nn.Module, pad_id: int, answers: tuple[int, ...] | None = None, given: Family | None = None
) -> Anatomy:
    """Find the parts of a judge. An unknown family gets embeddings only, and a note.

    `answers` are the token ids of a prompted judge's answers; None for a classifier.
    `given` is a user's description of the family, which comes before ours.
    """
    family_name = str(getattr(model.config, "model_type", "unknown"))
    family = given or FAMILIES.get(family_name)
    base = trunk_name(model)
    if family is None or not base:
        return _unknown(model, family_name, pad_id)
    try:
        _check_needs(family, model.config)
        head = head_of(model, family) if answers is None else answer_head(model, answers, family)
        return replace(_known(model, family, base, pad_id), head=head, prompted=answers is not None)
    except AttributeError:  # a variant of the family whose modules are called differently
        return _unknown(model, family_name, pad_id)


def _check_needs(family: Family, config: Any) -> None:
    """Raises AttributeError where the config says something else than the description needs."""
    text = config.get_text_config()
    for name, wanted in family.needs.items():
        if getattr(text, name) != wanted:
            raise AttributeError(name)


def _known(model: nn.Module, family: Family, base: str, pad_id: int) -> Anatomy:
    """Raises AttributeError where a part is not what the entry says."""
    trunk = model.get_submodule(base)
    config: Any = model.config.get_text_config()  # type: ignore[operator, union-attr]
    layers = one_a_depth(trunk, family, config)
    block = family.embedding_block or family.embeddings
    before = (block, *family.beside_embeddings)
    after = tuple(f"{base}.{path}." for path in (family.final_norm, "pooler", family.decoder) if path)
    scale = residual_scale(family, config)
    wiring = wire(layers, family, config)
    found = Anatomy(
        family=family.name,
        embeddings=trunk.get_submodule(family.embeddings),
        layers=layers,
        attention_writes=_writes(layers, family.attention),
        mlp_writes=_writes(layers, family.mlp),
        final_norm=trunk.get_submodule(family.final_norm) if family.final_norm else None,
        pooling=_pooling(family, config),
        pools_logits=bool(family.pooling_option) and getattr(config, family.pooling_option, None) == LATE,
        norm_position=family.norm_position,
        head=None,
        pad_id=pad_id,
        prefixes=(f"{base}.", tuple(f"{base}.{path}." for path in before), f"{base}.{family.layers}.", after),
        wiring=wiring,
        reading="mean" if gated(family, config) else "max",
        layers_return_pairs=family.layers_return_pairs,
        residual_scale=scale,
        described=family,
        position_bias=layers[0].get_submodule(family.position_bias) if family.position_bias else None,
    )
    return _before_a_decoder(model, found) if family.decoder else found


def _writes(layers: Sequence[nn.Module], paths: BlockPaths | None) -> list[nn.Module] | None:
    return None if paths is None else [block_of(layer, paths).write for layer in layers]


def _pooling(family: Family, config: Any) -> Pooling:
    said = getattr(config, family.pooling_option, None) if family.pooling_option else None
    said = {"bos": "cls", LATE: "mean"}.get(str(said), said)  # EuroBERT's words
    return cast(Pooling, said) if said in get_args(Pooling) else family.pooling


def _unknown(model: nn.Module, name: str, pad_id: int) -> Anatomy:
    known = "is laid out in another way than the one that is known" if name in FAMILIES else "is not known"
    note = (
        f"The model family {name!r} {known}: scores, words and the comparison of classes are computed (residual "
        "norms are the hidden states that the model itself reports, the pooled representation is the mean over "
        "tokens), and logit lens, writes, heads, neurons and circuits are not; describe the family in a file and "
        "give it with --family to have all of it (docs/families.md)."
    )
    found = Anatomy(
        name, _embeddings(model), (), None, None, None, "unknown", "unknown", None, pad_id, notes=(note,)
    )
    if not getattr(model.config, "is_encoder_decoder", False):
        return found
    found = replace(found, embeddings=_embeddings(model.get_encoder()))  # type: ignore[operator]
    return _before_a_decoder(model, found)


def _before_a_decoder(model: nn.Module, found: Anatomy) -> Anatomy:
    """Of an encoder whose decoder reads the words, too. Raises AttributeError where there is none."""
    parts = "norms, writes, heads, neurons, circuits" if found.wiring is not None else "norms"
    note = (
        f"{found.family!r} is an encoder-decoder: layers, {parts} and comparisons are those of its encoder; the "
        "decoder reads the prompt's words itself, and what it makes of them is not shown layer by layer. The "
        "pooled representation is the mean over tokens, and there is no logit lens."
    )
    return replace(
        found,
        pooling="unknown",
        decoder_embeddings=_embeddings(model.get_decoder()),  # type: ignore[operator]
        read_at=model.config.get_text_config().eos_token_id,  # type: ignore[union-attr, operator]
        notes=(note,),
    )


def _embeddings(model: Any) -> nn.Module:
    """What gives word embeddings; a stand-in that is never called where the model has none (CANINE hashes)."""
    try:
        return model.get_input_embeddings()
    except NotImplementedError:
        return nn.Identity()
