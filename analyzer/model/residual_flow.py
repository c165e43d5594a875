"""Follow the residual stream of an observed pass through every layer, as a user's description says it flows.

Each block reads the stream (through its read norm), writes (through its branch norm), is added (times the residual
multiplier), and the sum may be normed (trunk norm); blocks side by side both read what the layer reads. This finds
blocks in another order, scaled residuals, and norms in other places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from analyzer.model.observed import blocks_of, refuse

if TYPE_CHECKING:
    from analyzer.jobs.family import Family
    from analyzer.model.judge import Judge
    from analyzer.model.observed import Comparison, Observed
    from analyzer.model.wiring import Layer

SIDE_BY_SIDE = (
    "where both read the same stream, say parallel: true; where a layer is something else, leave both out"
)


def check_returns(judge: Judge, family: Family, seen: Observed) -> None:
    """Every layer takes and returns hidden states in the way that the description says."""
    for number, layer in enumerate(judge.anatomy.layers):
        name = f"layers: layer {number} of {family.layers!r}"
        seen.into(layer, name)
        seen.out_of(layer, name)
        returned = seen.outputs[layer]
        if isinstance(returned, tuple) and len(returned) > 2 and family.position_bias is None:
            refuse(family, f"{name} returns {len(returned)} things: name what it hands on as position_bias")
        if isinstance(returned, tuple) != family.layers_return_pairs:
            said = str(family.layers_return_pairs).lower()
            returns = "hidden states alone" if family.layers_return_pairs else "a tuple"
            refuse(family, f"layers_return_pairs is {said}, and {name} returns {returns}")


def check_layer(
    family: Family, same: Comparison, seen: Observed, number: int, layer: Layer, *, parallel: bool
) -> None:
    """Follow the residual stream through one layer."""

    def reads(module: nn.Module, name: str, wanted: Tensor, what: str) -> None:
        if not same(seen.into(module, name), wanted):
            refuse(family, f"{name} of layer {number} does not read {what} ({SIDE_BY_SIDE})")

    entry = stream = seen.into(layer.module, "layers")
    at_entry = after = "the residual stream that the layer reads"
    if parallel and not seen.called_before(layer.attention.out, layer.mlp.inlet):
        refuse(family, f"parallel, and layer {number} calls its MLP before its attention: leave both out")
    for kind, block in blocks_of(layer):
        read, what = (entry, at_entry) if parallel else (stream, after)
        if block.read_norm is not None:
            reads(block.read_norm, f"{kind}.read_norm", read, what)
            read, what = seen.out_of(block.read_norm, f"{kind}.read_norm"), f"what {kind}.read_norm gives"
        reads(block.inlet, f"{kind}.module", read, what)
        for projection in layer.projections if kind == "attention" else ():
            reads(projection, "attention.projections", read, what)
        written = seen.out_of(block.out, f"{kind}.out")
        if block.branch_norm is not None:
            reads(block.branch_norm, f"{kind}.branch_norm", written, f"what {kind}.out writes")
            written = seen.out_of(block.branch_norm, f"{kind}.branch_norm")
        if written.shape != stream.shape:
            refuse(
                family, f"{kind}.out of layer {number} does not write as many numbers as the residual stream has"
            )
        stream, after = stream + block.scale * written, f"the residual stream after {kind}"
        if block.trunk_norm is not None:
            reads(block.trunk_norm, f"{kind}.trunk_norm", stream, after)
            stream = seen.out_of(block.trunk_norm, f"{kind}.trunk_norm")
    if not same(seen.out_of(layer.module, "layers"), stream):
        refuse(
            family,
            f"layer {number} does not return its input plus what attention.out and mlp.out write, each times "
            f"{layer.mlp.scale:g} ({SIDE_BY_SIDE}; a factor is named by residual_multiplier)",
        )
