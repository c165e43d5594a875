"""A family that a user described, held against the loaded model: what ours are tested for, theirs is checked for.

1. Every path leads to a module of the right kind, in every layer.
2. In a real pass each block reads, writes and is added as the description says (`residual_flow.py`).
3. Blocks, projections and heads end where the description says, and there are as many heads (`block_borders.py`).
4. The model's upper part alone gives the same scores, read as the description says (`verdict_read.py`).

Raises FamilyError, in one sentence, at the first thing that is not so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from analyzer.jobs.family import AttentionPaths, BlockPaths, Family
from analyzer.model.anatomy import FUNCTIONS
from analyzer.model.block_borders import check_borders
from analyzer.model.norms import is_norm
from analyzer.model.observed import Comparison, described_family, observing, refuse
from analyzer.model.residual_flow import check_layer, check_returns
from analyzer.model.scoring import score
from analyzer.model.verdict_read import check_verdict_read

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge

NORMS = ("read_norm", "branch_norm", "trunk_norm")


def check_paths(model: Any, family: Family, *, prompted: bool) -> None:
    """Step 1. A judge that answers needs no `head`."""
    trunk = getattr(model, getattr(model, "base_model_prefix", ""), None)
    if not isinstance(trunk, nn.Module):
        refuse(family, "the model has no base model below which its parts could be looked for")
    for name in ("embedding_block", "embeddings", "layers", "final_norm"):
        _module(family, trunk, name, getattr(family, name), "the base model")
    if trunk.get_submodule(family.embeddings) is not model.get_input_embeddings():
        refuse(family, f"embeddings = {family.embeddings!r} is not the model's word embeddings")
    _check_embedding_block(family)
    layers = list(trunk.get_submodule(family.layers).children())
    if not layers:
        refuse(family, f"layers = {family.layers!r} holds no layers")
    for number, layer in enumerate(layers):
        _check_block(family, layer, "attention", family.attention, f"layer {number}")
        _check_block(family, layer, "mlp", family.mlp, f"layer {number}")
    if family.attention is not None:
        for layer in layers:
            _check_heads(family, family.attention, layer, model.config)
    for step in () if prompted else family.head:
        if step not in FUNCTIONS:
            _module(family, model, "head", step, "the model")


def _module(family: Family, root: nn.Module, name: str, path: str | None, where: str) -> nn.Module | None:
    """The module at a path, if one is given."""
    found = root
    for part in path.split(".") if path else ():
        below = dict(found.named_children())
        if part not in below:
            there = ", ".join(below) or "nothing"
            refuse(family, f"{name} = {path!r} matches no module of {where} (at {part!r} there is {there})")
        found = below[part]
    return found if path else None


def _check_embedding_block(family: Family) -> None:
    """It is what comes before the first layer: the embeddings are in it, layers and final norm are not."""
    block = family.embedding_block
    if block is None:
        return
    inside = [
        path for path in (family.embeddings, family.layers, family.final_norm) if f"{path}.".startswith(f"{block}.")
    ]
    if family.embeddings not in inside:
        refuse(family, f"embedding_block = {block!r} does not hold the word embeddings ({family.embeddings!r})")
    if len(inside) > 1:
        refuse(family, f"embedding_block = {block!r} holds {inside[1]!r}, too, and must end before the first layer")


def _check_block(family: Family, layer: nn.Module, name: str, paths: BlockPaths | None, where: str) -> None:
    if paths is None:
        return
    _module(family, layer, f"{name}.module", paths.module, where)
    linear = [("out", paths.out)]
    linear += [("projections", path) for path in (paths.projections if isinstance(paths, AttentionPaths) else ())]
    for part, path in linear:
        found = _module(family, layer, f"{name}.{part}", path, where)
        if not isinstance(found, nn.Linear):
            refuse(family, f"{name}.{part} = {path!r} is a {type(found).__name__}, and must be a torch.nn.Linear")
    for part in NORMS:
        path = getattr(paths, part)
        found = _module(family, layer, f"{name}.{part}", path, where)
        if found is not None and not isinstance(found, nn.Identity) and not is_norm(found):
            kind = type(found).__name__
            refuse(family, f"{name}.{part} = {path!r} is a {kind}, and must be a LayerNorm or RMSNorm with a gain")


def _check_heads(family: Family, paths: AttentionPaths, layer: nn.Module, config: Any) -> None:
    """The number of heads, and that the projections are as wide as it says."""
    heads = getattr(config, family.heads, None)
    kv_heads = getattr(config, family.kv_heads, None) or heads
    width = int(layer.get_submodule(paths.out).in_features)  # type: ignore[arg-type]
    if type(heads) is not int or heads < 1 or width % heads:
        refuse(
            family, f"heads = {family.heads!r} is {heads} in the config, and attention.out reads {width} numbers"
        )
    if type(kv_heads) is not int or kv_heads < 1 or heads % kv_heads:
        refuse(family, f"kv_heads = {family.kv_heads!r} is {kv_heads} in the config, beside {heads} heads")
    shared = width * kv_heads // heads
    wanted = {0: [], 1: [3 * width], 3: [width, shared, shared]}[len(paths.projections)]
    found = [int(layer.get_submodule(path).out_features) for path in paths.projections]  # type: ignore[arg-type]
    if found != wanted:
        refuse(family, f"attention.projections give {found} numbers, and {heads} heads need {wanted}")
    attention = layer.get_submodule(paths.module)
    if found and kv_heads != heads and not hasattr(attention, "num_key_value_groups"):
        refuse(
            family, "its heads share keys and values in a way that is not known: leave attention.projections out"
        )
    if not found:
        _check_shared(family, attention, heads, kv_heads)


def _check_shared(family: Family, attention: nn.Module, heads: int, kv_heads: int) -> None:
    """Key and value heads, where no projection is as wide as they are: the attention itself says how many share."""
    shared = 1
    for module in attention.modules():
        groups, own = getattr(module, "num_key_value_groups", None), getattr(module, family.kv_heads, None)
        if isinstance(groups, int):
            shared = groups
        elif type(own) is int and own > 0:
            shared = heads // own
    if kv_heads * shared != heads:
        refuse(
            family,
            f"heads = {family.heads!r} is {heads} and kv_heads = {family.kv_heads!r} is {kv_heads} in the config, "
            f"and {shared} heads of its attention share a key",
        )


def check_flow(judge: Judge, batch: Batch) -> None:
    """Steps 2 to 4, on a batch of prompts."""
    family, anatomy = described_family(judge), judge.anatomy
    with observing(judge) as seen:
        plain = score(judge, batch)
    same = Comparison(judge, batch)
    check_returns(judge, family, seen)
    if anatomy.wiring is not None:
        for number, layer in enumerate(anatomy.wiring.layers):
            check_layer(family, same, seen, number, layer)
        check_borders(judge, batch, anatomy.wiring, same, seen)
    check_verdict_read(judge, batch, same, seen, plain)
