"""How the parts of a layer are connected: one entry a family, below one layer's module.

A layer is two blocks, attention then MLP. A block reads the residual stream (through its read norm, where it has
one), computes, and writes back (through its branch norm, where it has one); a post-norm model then normalises the
whole stream (trunk norm). Heads are read at the input of the attention output projection, so that any attention
kernel stays on; neurons at the input of the MLP's down projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class ModulePaths:
    """Module paths below a layer; empty where a family has no such part."""

    attention: str
    """The whole attention module."""
    projections: tuple[str, ...]
    """Query, key and value projections, or one fused projection."""
    attention_out: str
    mlp: str
    """The module whose input is read by the MLP alone."""
    mlp_out: str
    attention_read_norm: str = ""
    mlp_read_norm: str = ""
    attention_branch_norm: str = ""
    mlp_branch_norm: str = ""
    attention_trunk_norm: str = ""
    mlp_trunk_norm: str = ""


_BERT = ModulePaths(
    attention="attention.self",
    projections=("attention.self.query", "attention.self.key", "attention.self.value"),
    attention_out="attention.output.dense",
    mlp="intermediate",
    mlp_out="output.dense",
    attention_trunk_norm="attention.output.LayerNorm",
    mlp_trunk_norm="output.LayerNorm",
)
# disentangled attention reads positions through the same projections: no edges into its heads
_DEBERTA = ModulePaths(
    attention="attention.self",
    projections=(),
    attention_out="attention.output.dense",
    mlp="intermediate",
    mlp_out="output.dense",
    attention_trunk_norm="attention.output.LayerNorm",
    mlp_trunk_norm="output.LayerNorm",
)
_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_PRE = ModulePaths(
    attention="self_attn",
    projections=_QKV,
    attention_out="self_attn.o_proj",
    mlp="mlp",
    mlp_out="mlp.down_proj",
    attention_read_norm="input_layernorm",
    mlp_read_norm="post_attention_layernorm",
)
_SANDWICH = ModulePaths(
    attention="self_attn",
    projections=_QKV,
    attention_out="self_attn.o_proj",
    mlp="mlp",
    mlp_out="mlp.down_proj",
    attention_read_norm="input_layernorm",
    mlp_read_norm="pre_feedforward_layernorm",
    attention_branch_norm="post_attention_layernorm",
    mlp_branch_norm="post_feedforward_layernorm",
)

PLANS: dict[str, ModulePaths] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "deberta-v2": _DEBERTA,
    "distilbert": ModulePaths(
        attention="attention",
        projections=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        attention_out="attention.out_lin",
        mlp="ffn",
        mlp_out="ffn.lin2",
        attention_trunk_norm="sa_layer_norm",
        mlp_trunk_norm="output_layer_norm",
    ),
    "modernbert": ModulePaths(
        attention="attn",
        projections=("attn.Wqkv",),
        attention_out="attn.Wo",
        mlp="mlp",
        mlp_out="mlp.Wo",
        attention_read_norm="attn_norm",
        mlp_read_norm="mlp_norm",
    ),
    "llama": _PRE,
    "mistral": _PRE,
    "qwen2": _PRE,
    "qwen3": _PRE,
    "gemma": _PRE,
    "gemma2": _SANDWICH,
    "gemma3_text": _SANDWICH,
}
"""By the config's `model_type`."""


@dataclass(frozen=True)
class Block:
    """Attention or MLP of one layer, and the norms on its way in and out."""

    inlet: nn.Module
    """Its input, after the read norm, is read by this block alone."""
    out: nn.Module
    """The linear map that ends the block; its input holds the heads' outputs side by side, or the neurons."""
    read_norm: nn.Module | None
    branch_norm: nn.Module | None
    trunk_norm: nn.Module | None


@dataclass(frozen=True)
class Layer:
    """One layer's two blocks."""

    module: nn.Module
    attention: Block
    mlp: Block
    projections: tuple[nn.Module, ...]
    """Query, key, value; or one fused module; empty where heads' inputs cannot be told apart."""


@dataclass(frozen=True)
class Wiring:
    """All layers of one judge."""

    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int
    """Key and value heads; fewer than `heads` under grouped-query attention."""
    head_size: int
    neurons: int
    """MLP neurons of a layer."""

    @property
    def has_edges(self) -> bool:
        """Whether each head's own input can be told apart, which edges into heads need."""
        return all(layer.projections for layer in self.layers)


def wire(layers: list[nn.Module], family: str, config: Any) -> Wiring | None:
    """The wiring of a known family; None for another, or where a part is not what the plan says."""
    plan = PLANS.get(family)
    if plan is None or not layers:
        return None
    try:
        found = tuple(_layer(module, plan) for module in layers)
        heads, size = _heads(config, found[0])
        return Wiring(
            layers=found,
            heads=heads,
            kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
            head_size=size,
            neurons=int(found[0].mlp.out.weight.shape[1]),  # type: ignore[union-attr, index]
        )
    except AttributeError:  # a variant of the family whose modules are called differently
        return None


def _heads(config: Any, layer: Layer) -> tuple[int, int]:
    heads = int(getattr(config, "num_attention_heads", None) or config.n_heads)
    return heads, int(layer.attention.out.weight.shape[1]) // heads  # type: ignore[union-attr, index]


def _layer(module: nn.Module, plan: ModulePaths) -> Layer:
    def part(path: str) -> nn.Module | None:
        found = module.get_submodule(path) if path else None
        return None if isinstance(found, nn.Identity) else found

    return Layer(
        module=module,
        attention=Block(
            inlet=module.get_submodule(plan.attention),
            out=module.get_submodule(plan.attention_out),
            read_norm=part(plan.attention_read_norm),
            branch_norm=part(plan.attention_branch_norm),
            trunk_norm=part(plan.attention_trunk_norm),
        ),
        mlp=Block(
            inlet=module.get_submodule(plan.mlp),
            out=module.get_submodule(plan.mlp_out),
            read_norm=part(plan.mlp_read_norm),
            branch_norm=part(plan.mlp_branch_norm),
            trunk_norm=part(plan.mlp_trunk_norm),
        ),
        projections=tuple(module.get_submodule(path) for path in plan.projections),
    )
