"""Whether the blocks, projections and heads of a user's description are those of the model, by disturbing it.

1. A block is whole: with the residual stream disturbed, and `module` given what it read, `out` reads as before.
2. So are the projections: with `module`'s input disturbed and their outputs as before, attention's `out` reads as
   before.
3. What the projections give one head changes no other head (this finds another order in a fused projection).
4. Attention has as many heads as the description says.

Step 1 and 2 are one pass each, over all layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from analyzer.model.attention_weights import weights_by_layer
from analyzer.model.observed import blocks_of, described_family, disturbed, refuse
from analyzer.model.partial_pass import hidden_of, module_input
from analyzer.model.projections import places
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.observed import Comparison, Observed
    from analyzer.model.wiring import Block, Wiring

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu2", "silu", "tanh")
"""Those that may stand between `module` and `out`, as transformers names them."""


def check_borders(judge: Judge, batch: Batch, wiring: Wiring, same: Comparison, seen: Observed) -> None:
    """All steps. Raises FamilyError."""
    _check_whole(judge, batch, wiring, same, seen)
    _check_projections(judge, batch, wiring, same, seen)
    _check_heads_apart(judge, batch, wiring, same, seen)
    _check_head_count(judge, batch, wiring, same, seen)


def _check_whole(judge: Judge, batch: Batch, wiring: Wiring, same: Comparison, seen: Observed) -> None:
    family = described_family(judge)
    blocks = [
        (number, kind, block) for number, layer in enumerate(wiring.layers) for kind, block in blocks_of(layer)
    ]
    for number, kind, block in blocks:
        if not _leads_to_out(block, same, seen):
            refuse(family, f"{kind}.module of layer {number} is not the whole block that {kind}.out ends")
    with ExitStack() as stack, _read_by_outs(wiring) as found:
        for layer in wiring.layers:
            stack.enter_context(module_input(layer.module, disturbed))
        for _, kind, block in blocks:
            stack.enter_context(module_input(block.inlet, _always(seen.into(block.inlet, f"{kind}.module"))))
        score(judge, batch)
    for number, kind, block in blocks:
        if not same(found[block.out], seen.into(block.out, f"{kind}.out")):
            refuse(
                family, f"{kind}.module of layer {number} is not all of the block that reads the residual stream"
            )


def _leads_to_out(block: Block, same: Comparison, seen: Observed) -> bool:
    """`out` ends the block: it is inside of it, or reads what it gives, or what an activation makes of that."""
    if block.out_inside:
        return True
    given, wanted = hidden_of(seen.outputs.get(block.inlet)), seen.into(block.out, "out")
    if not isinstance(given, Tensor) or given.shape != wanted.shape:
        return False
    return same(given, wanted) or any(same(ACT2FN[name](given), wanted) for name in ACTIVATIONS)


def _check_projections(judge: Judge, batch: Batch, wiring: Wiring, same: Comparison, seen: Observed) -> None:
    if not wiring.has_edges:
        return
    with ExitStack() as stack, _read_by_outs(wiring) as found:
        for layer in wiring.layers:
            stack.enter_context(module_input(layer.attention.inlet, disturbed))
            for projection in layer.projections:
                given = seen.out_of(projection, "attention.projections")
                stack.callback(projection.register_forward_hook(_always(given)).remove)
        score(judge, batch)
    for number, layer in enumerate(wiring.layers):
        if not same(found[layer.attention.out], seen.into(layer.attention.out, "attention.out")):
            refuse(
                described_family(judge),
                f"attention.projections of layer {number} are not all that its heads read: name query, key and "
                "value, or leave them out, and circuits have no edges",
            )


def _check_heads_apart(judge: Judge, batch: Batch, wiring: Wiring, same: Comparison, seen: Observed) -> None:
    """Disturb what each projection of the first layer gives its first head: the other heads go on as they were."""
    layer, projected = wiring.layers[0], wiring.projected
    plain = seen.into(layer.attention.out, "attention.out")
    for place, projection in zip(places(len(layer.projections)), layer.projections, strict=True):
        width = torch.arange(seen.out_of(projection, "attention.projections").shape[-1], device=plain.device)
        for columns in projected.apart(width, place):  # (own heads, head_size) which number each one is
            found = _with_noise(judge, batch, wiring, projection, columns[0])
            rest = slice(wiring.heads // len(columns) * wiring.head_size, None)
            if not same(found[..., rest], plain[..., rest]):
                refuse(
                    described_family(judge),
                    "attention.projections do not hold the heads in the order that was expected (fused = "
                    f"{wiring.fused!r}: see there), or what they give one head reaches others: leave them out, and "
                    "circuits have no edges",
                )


def _check_head_count(judge: Judge, batch: Batch, wiring: Wiring, same: Comparison, seen: Observed) -> None:
    """By the attention weights; where there are none, by how far noise in a part of one head's query reaches."""
    family = described_family(judge)
    for number, weights in enumerate(weights_by_layer(judge, batch, wiring)):
        if weights is not None and weights.shape[1] != wiring.heads:
            refuse(
                family,
                f"heads = {family.heads!r} is {wiring.heads} in the config, and the attention of layer {number} "
                f"has {weights.shape[1]}",
            )
        if weights is None and not wiring.has_edges:
            refuse(
                family,
                f"layer {number} gives no attention weights, and without attention.projections nothing tells how "
                "many heads it has: name them, or leave attention and mlp out",
            )
        if weights is None and number == 0:
            quarter = max(1, wiring.head_size // 4)
            projection = wiring.layers[0].projections[0]
            queries = torch.arange(seen.out_of(projection, "attention.projections").shape[-1])
            first = wiring.projected.apart(queries, places(len(wiring.layers[0].projections))[0])[0][0]
            found = _with_noise(judge, batch, wiring, projection, first[:quarter])
            far = slice(wiring.head_size - quarter, wiring.head_size)
            if same(found[..., far], seen.into(wiring.layers[0].attention.out, "attention.out")[..., far]):
                refuse(
                    family,
                    f"heads = {family.heads!r} is {wiring.heads} in the config, and what one of that many heads "
                    "asks for does not reach all that it gives",
                )


def _with_noise(judge: Judge, batch: Batch, wiring: Wiring, projection: nn.Module, columns: Tensor) -> Tensor:
    """What the first layer's attention output projection reads with noise in these columns of a projection."""

    def noise(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[..., columns] = disturbed(output[..., columns])
        return output

    handle = projection.register_forward_hook(noise)
    try:
        with _read_by_outs(wiring) as found:
            score(judge, batch)
    finally:
        handle.remove()
    return found[wiring.layers[0].attention.out]


@contextmanager
def _read_by_outs(wiring: Wiring) -> Iterator[dict[nn.Module, Tensor]]:
    """`out` of every block -> what it read in the call inside."""
    found: dict[nn.Module, Tensor] = {}
    with ExitStack() as stack:
        for layer in wiring.layers:
            for block in (layer.attention, layer.mlp):
                keep = lambda module, args: found.update({module: args[0]})  # noqa: E731
                stack.callback(block.out.register_forward_pre_hook(keep).remove)
        yield found


def _always(value: Tensor) -> Callable[..., Tensor]:
    return lambda *_: value
