"""How the parts of a layer are connected, as the family's entry says (`analyzer/model/families.py`).

A layer is two blocks, attention then MLP. A block reads the residual stream (through its read norm, where it has
one), computes, and writes back (through its branch norm, where it has one); a post-norm model then normalises the
whole stream (trunk norm). Heads are read at the input of the attention output projection, so that any attention
kernel stays on; neurons at the input of the MLP's down projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from analyzer.jobs.family import BlockPaths, Family


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


def wire(layers: list[nn.Module], family: Family, config: Any) -> Wiring | None:
    """The wiring of a family; None where its entry has none, or where a part is not what the entry says."""
    if family.attention is None or family.mlp is None or not layers:
        return None
    try:
        found = tuple(
            Layer(
                module=module,
                attention=_block(module, family.attention),
                mlp=_block(module, family.mlp),
                projections=tuple(module.get_submodule(path) for path in family.attention.projections),
            )
            for module in layers
        )
        heads = int(getattr(config, family.heads))
        return Wiring(
            layers=found,
            heads=heads,
            kv_heads=int(getattr(config, family.kv_heads, None) or heads),
            head_size=_inputs(found[0].attention) // heads,
            neurons=_inputs(found[0].mlp),
        )
    except AttributeError:  # a variant of the family whose modules are called differently
        return None


def _inputs(block: Block) -> int:
    """Numbers a token that the block's last linear map reads."""
    return int(block.out.weight.shape[1])  # type: ignore[union-attr, index]


def _block(layer: nn.Module, paths: BlockPaths) -> Block:
    def norm(path: str | None) -> nn.Module | None:
        found = layer.get_submodule(path) if path else None
        return None if isinstance(found, nn.Identity) else found

    return Block(
        inlet=layer.get_submodule(paths.module),
        out=layer.get_submodule(paths.out),
        read_norm=norm(paths.read_norm),
        branch_norm=norm(paths.branch_norm),
        trunk_norm=norm(paths.trunk_norm),
    )
