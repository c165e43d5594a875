"""What there is to say about a model family: where its parts are. Ours stand in `analyzer/model/families.py`.

It crosses the pipe to the worker, and a user may write one in a file (`--family`), so it is data and nothing else.
Module paths are those that PyTorch prints, parts joined by dots.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

ModulePath = Annotated[str, StringConstraints(pattern=r"^\w+(\.\w+)*$", max_length=200)]
Pooling = Literal["cls", "last_token", "mean"]
ConfigField = Annotated[str, StringConstraints(pattern=r"^\w+$", max_length=100)]
"""Name of a field of the model's config (of its text part, where it has several)."""
NormPosition = Literal["pre", "post", "sandwich", "branch", "unknown"]


class Described(BaseModel):
    """Frozen, and a name that does not exist is refused: a misspelt path must not pass as one that is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BlockPaths(Described):
    """Attention or MLP of a layer; module paths below one layer."""

    module: ModulePath
    """The whole block; what it is given is read by this block alone (side by side: by both, where one norm serves
    both)."""
    out: ModulePath
    """The linear map that ends the block; it reads the heads' outputs side by side, or the neurons."""
    read_norm: ModulePath | None = None
    """Norm of what the block reads (pre-norm models)."""
    branch_norm: ModulePath | None = None
    """Norm of what the block writes, before it is added to the residual stream (sandwich norms)."""
    trunk_norm: ModulePath | None = None
    """Norm of the whole residual stream once the block has written (post-norm models)."""


class MlpPaths(BlockPaths):
    """The MLP of a layer."""

    out: ModulePath | None = None  # type: ignore[assignment]
    """As of any block; None where no one linear map reads all neurons (a mixture of experts): the MLP is then one
    node of circuits, and its neurons are not read."""


class AttentionPaths(BlockPaths):
    """The attention of a layer."""

    projections: tuple[ModulePath, ...] = ()
    """Query, key and value projections; or one fused; empty where the inputs of single heads cannot be told apart,
    and then circuits have no edges."""
    fused: Literal["by_part", "by_head"] = "by_part"
    """Order in a fused projection. by_part: all queries, then all keys, then all values; by_head: of each head its
    query, key and value, head after head."""

    @model_validator(mode="after")
    def _check_projections(self) -> AttentionPaths:
        if len(self.projections) not in (0, 1, 3):
            raise ValueError("name three modules (query, key, value), or one fused, or none")
        if len(set(self.projections)) < len(self.projections):
            raise ValueError("name three different modules (query, key, value), or one fused, or none")
        return self


class Family(Described):
    """One model family; module paths below the base model (`model.base_model`) unless said otherwise."""

    name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=100)]
    """The config's `model_type`."""
    embeddings: ModulePath
    """The module whose output is the word embeddings."""
    embedding_block: ModulePath | None = None
    """Everything before the first layer, where it is one module; `embeddings` when not given."""
    beside_embeddings: tuple[ModulePath, ...] = ()
    """Other modules with weights that act before the first layer (GPT-2's positions, ELECTRA's projection)."""
    layers: ModulePath
    """The list of layers."""
    shared_layers: ConfigField | None = None
    """Field with the number of different layers, where one is used at every depth (ALBERT): 1 of them serves all
    `num_hidden_layers`."""
    parallel: bool | ConfigField = False
    """Whether attention and MLP read the same residual stream and both are added to it, or a field that says so."""
    residual_multiplier: ConfigField | None = None
    """Field with the number by which everything that a block writes is multiplied (Granite)."""
    final_norm: ModulePath | None = None
    """The norm between the last layer and the head."""
    pooling: Pooling
    """What the head reads: the first token, the last real one, or the mean over tokens."""
    pooling_option: str | None = None
    """Field of the model's config that may say another pooling."""
    head: tuple[ModulePath, ...] = ()
    """From the pooled state to the two logits: modules below the whole model, or relu, gelu, tanh, one after the
    other; empty where that is not known, and then there is no logit lens. Not used for a judge that answers."""
    head_reads: Literal["vector", "tokens"] = "vector"
    """Whether the head's first module takes (prompts, d_model), or tokens of which it picks the first."""
    answer_head: tuple[ModulePath, ...] = ()
    """Of a judge that answers: what stands between final norm and unembedding; modules below the whole model."""
    logits_times: ConfigField | None = None
    """Field with the number by which a judge's answers' logits are multiplied (Cohere's `logit_scale`)."""
    logits_over: ConfigField | None = None
    """The same, by which they are divided (Granite's `logits_scaling`)."""
    decoder: ModulePath | None = None
    """The decoder that stands between these layers, an encoder's, and the head (T5): it reads the prompt's words
    itself. There is no logit lens then, and `pooling` says nothing but how representations are compared."""
    position_bias: ModulePath | None = None
    """Below the first layer the attention whose `compute_bias` makes the biases of positions that each layer hands
    on to the next (T5)."""
    attention: AttentionPaths | None = None
    """None, as `mlp`, where a layer is something else: layers and lens, but no heads and neurons."""
    mlp: MlpPaths | None = None
    no_edges: str = Field(default="", max_length=200)
    """Why `projections` are not named, as the end of a sentence ("... because <no_edges>")."""
    needs: dict[ConfigField, bool | int | str] = Field(default_factory=dict)
    """What the model's config must say for this description to hold, field by field."""
    heads: str = "num_attention_heads"
    """Field of the model's config with the number of heads."""
    kv_heads: str = "num_key_value_heads"
    """The same of key and value heads; as many as heads where the config has no such field."""
    neurons: Literal["plain", "gated"] = "gated"
    """plain: behind a GELU or ReLU alone, so that large means present, and a prompt's reading is the largest;
    gated: with both signs, and the reading is the mean."""
    neurons_option: ConfigField | None = None
    """Field of the model's config that says whether they are gated, whatever `neurons` says (T5)."""
    layers_return_pairs: bool = False
    """Whether a layer returns (hidden states, ...), rather than the hidden states alone."""

    @model_validator(mode="after")
    def _check_blocks(self) -> Family:
        if (self.attention is None) != (self.mlp is None):
            raise ValueError("attention and mlp belong together: describe both, or neither")
        blocks = [block for block in (self.attention, self.mlp) if block is not None]
        if self.parallel is not False and any(block.trunk_norm for block in blocks):
            raise ValueError("parallel blocks have no trunk_norm: between them the stream is not normed")
        if self.decoder and (self.head or self.answer_head or self.pooling != "mean"):
            raise ValueError(
                "a decoder stands between the layers and the head: leave head out, and say pooling: mean"
            )
        if self.position_bias and not self.layers_return_pairs:
            raise ValueError("layers that hand on position_bias return it: say layers_return_pairs: true")
        return self

    @property
    def norm_position(self) -> NormPosition:
        """Where the norms of a layer are."""
        if self.attention is None:
            return "unknown"
        if self.attention.branch_norm:
            return "sandwich" if self.attention.read_norm else "branch"
        return "post" if self.attention.trunk_norm else "pre"

    @property
    def digest(self) -> str:
        """What tells results under one description from those under another."""
        said = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def told_family(fields: dict[str, Any] | None) -> Family | None:
    """The family that a job tells of."""
    return None if fields is None else Family.model_validate(fields)
