"""How the parts of a layer are connected, as the family's entry says (`analyzer/model/families.py`).

A layer is two blocks, attention then MLP, or both side by side (`Wiring.parallel`). A block reads the residual
stream (through its read norm, where it has one), computes, and writes back (through its branch norm, where it has
one, and times `scale`); a post-norm model then normalises the whole stream (trunk norm). Heads are read at the
input of the attention output projection, so that any attention kernel stays on; neurons at the input of the MLP's
down projection. An MLP without one (a mixture of experts) is read at a `Seam` behind it, as one node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from analyzer.jobs.family import BlockPaths, Family
from analyzer.model.linear_maps import weight_of
from analyzer.model.projections import Order, Projections
from analyzer.model.seam import Seam, seam_behind


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
    scale: float = 1.0
    """What is written is multiplied by this before it is added to the residual stream."""

    @property
    def write(self) -> nn.Module:
        """The module whose output, times `scale`, is added to the residual stream."""
        return self.branch_norm or self.out

    @property
    def out_inside(self) -> bool:
        """Whether `out` is called by `inlet` itself, rather than after it."""
        return self.out in self.inlet.modules() or isinstance(self.out, Seam)

    def returned(self, hidden: Tensor) -> Any:
        """Hidden states as `inlet` returns them."""
        return (hidden, None) if isinstance(self.out, Seam) and self.out.in_tuple else hidden


@dataclass(frozen=True)
class Layer:
    """One layer's two blocks."""

    module: nn.Module
    attention: Block
    mlp: Block
    projections: tuple[nn.Module, ...]
    """Query, key, value; or one fused module; empty where heads' inputs cannot be told apart."""

    @property
    def one_norm(self) -> bool:
        """Whether one read norm serves both blocks, which then get the same."""
        return self.mlp.read_norm is not None and self.mlp.read_norm is self.attention.read_norm


@dataclass(frozen=True)
class Wiring:
    """All layers of one judge."""

    layers: tuple[Layer, ...]
    heads: int
    kv_heads: int
    """Key and value heads; fewer than `heads` under grouped-query attention."""
    head_size: int
    neurons: int
    """MLP neurons of a layer; d_model where the MLP is one node, whose write then stands for them."""
    parallel: bool = False
    """Whether attention and MLP of a layer read the same residual stream."""
    fused: Order = "by_part"
    """Order in a fused projection."""

    @property
    def has_edges(self) -> bool:
        """Whether each head's own input can be told apart, which edges into heads need."""
        return all(layer.projections for layer in self.layers)

    @property
    def only_added(self) -> bool:
        """Whether what blocks write is added to the stream as it is: no norm of it, and none of the stream."""
        blocks = [block for layer in self.layers for block in (layer.attention, layer.mlp)]
        return all(block.branch_norm is None and block.trunk_norm is None for block in blocks)

    @property
    def has_neurons(self) -> bool:
        """Whether MLPs are read neuron by neuron, and not as one node each."""
        return not any(isinstance(layer.mlp.out, Seam) for layer in self.layers)

    @property
    def projected(self) -> Projections:
        """How heads lie in what the projections give."""
        return Projections(self.heads, self.kv_heads, self.head_size, self.fused)


def wire(layers: list[nn.Module], family: Family, config: Any) -> Wiring | None:
    """The wiring of a family, `config` its text part's; None where its entry has none, or where a part is not what
    the entry says."""
    if family.attention is None or family.mlp is None or not layers:
        return None
    try:
        scale = residual_scale(family, config)
        found = tuple(
            Layer(
                module=module,
                attention=block_of(module, family.attention, scale),
                mlp=block_of(module, family.mlp, scale),
                projections=tuple(module.get_submodule(path) for path in family.attention.projections),
            )
            for module in layers
        )
        heads = int(getattr(config, family.heads))
        return Wiring(
            layers=found,
            heads=heads,
            kv_heads=int(getattr(config, family.kv_heads, None) or heads),
            head_size=weight_of(found[0].attention.out).shape[1] // heads,
            neurons=_neurons(found[0]),
            parallel=said(family.parallel, config),
            fused=family.attention.fused,
        )
    except AttributeError:  # a variant of the family whose modules are called differently
        return None


def said(value: bool | str, config: Any) -> bool:
    """A yes or no of an entry; a name is a field of the config. Raises AttributeError where there is no such."""
    return bool(getattr(config, value)) if isinstance(value, str) else value


def residual_scale(family: Family, config: Any) -> float:
    """By what all that blocks write is multiplied. Raises AttributeError where the config has no such field."""
    return float(getattr(config, family.residual_multiplier)) if family.residual_multiplier else 1.0


def gated(family: Family, config: Any) -> bool:
    """Whether its neurons are gated. Raises AttributeError where the config has no such field."""
    return said(family.neurons_option or family.neurons == "gated", config)


def _neurons(layer: Layer) -> int:
    """Numbers a token that the MLP's last linear map reads, or that the MLP writes where it is one node."""
    one_node = isinstance(layer.mlp.out, Seam)
    return int(weight_of(layer.attention.out if one_node else layer.mlp.out).shape[0 if one_node else 1])


def block_of(layer: nn.Module, paths: BlockPaths, scale: float = 1.0) -> Block:
    """A block of one layer. Raises AttributeError for a path to nothing."""

    def norm(path: str | None) -> nn.Module | None:
        found = layer.get_submodule(path) if path else None
        return None if isinstance(found, nn.Identity) else found

    inlet = layer.get_submodule(paths.module)
    return Block(
        inlet=inlet,
        out=layer.get_submodule(paths.out) if paths.out else seam_behind(inlet),
        read_norm=norm(paths.read_norm),
        branch_norm=norm(paths.branch_norm),
        trunk_norm=norm(paths.trunk_norm),
        scale=scale,
    )
