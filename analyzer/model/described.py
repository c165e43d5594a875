"""A family that a user described, held against the loaded model: what ours are tested for, theirs is checked for.

1. Every path leads to a module of the right kind, in every layer.
2. In a real pass each block reads, writes and is added as the description says (`residual_flow.py`).
3. Blocks, projections and heads end where the description says, and there are as many heads (`block_borders.py`).
4. The model's upper part alone gives the same scores, read as the description says (`verdict_read.py`).

Raises FamilyError, in one sentence, at the first thing that is not so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from analyzer.jobs.family import AttentionPaths, BlockPaths, Family
from analyzer.model.anatomy import FUNCTIONS
from analyzer.model.block_borders import check_borders
from analyzer.model.linear_maps import is_linear, weight_of
from analyzer.model.norms import is_norm
from analyzer.model.observed import Comparison, Observed, described_family, observing, refuse
from analyzer.model.residual_flow import check_layer, check_returns
from analyzer.model.scoring import score
from analyzer.model.trunk import trunk_name, trunk_of
from analyzer.model.verdict_read import check_verdict_read

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge

NORMS = ("read_norm", "branch_norm", "trunk_norm")


def check_paths(model: Any, family: Family, *, prompted: bool) -> None:
    """Step 1. A judge that answers needs no `head`."""
    if not trunk_name(model):
        refuse(family, "the model has no base model below which its parts could be looked for")
    trunk, config = trunk_of(model), model.config.get_text_config()
    _check_fields(family, config)
    for name in ("embedding_block", "embeddings", "layers", "final_norm"):
        _module(family, trunk, name, getattr(family, name), "the base model")
    for path in family.beside_embeddings:
        _module(family, trunk, "beside_embeddings", path, "the base model")
    _check_decoder(model, family, trunk)
    owner = model.get_encoder() if family.decoder else model
    if trunk.get_submodule(family.embeddings) is not owner.get_input_embeddings():
        refuse(family, f"embeddings = {family.embeddings!r} is not the model's word embeddings")
    _check_embedding_block(family)
    layers = list(trunk.get_submodule(family.layers).children())
    if not layers:
        refuse(family, f"layers = {family.layers!r} holds no layers")
    if family.shared_layers and len(layers) not in (1, config.num_hidden_layers):
        refuse(family, f"shared_layers, and {family.layers!r} holds {len(layers)} layers rather than one")
    for number, layer in enumerate(layers):
        _check_block(family, layer, "attention", family.attention, f"layer {number}")
        _check_block(family, layer, "mlp", family.mlp, f"layer {number}")
    maker = _module(family, layers[0], "position_bias", family.position_bias, "layer 0")
    if maker is not None and not hasattr(maker, "compute_bias"):
        refuse(family, f"position_bias = {family.position_bias!r} has no compute_bias")
    if family.attention is not None:
        for layer in layers:
            _check_heads(family, family.attention, layer, config)
    for step in family.answer_head if prompted else family.head:
        if step not in FUNCTIONS:
            _module(family, model, "answer_head" if prompted else "head", step, "the model")


def _check_fields(family: Family, config: Any) -> None:
    """Fields of the model's config that the description names are there, and say what it needs."""
    named = {name: getattr(family, name) for name in ("residual_multiplier", "shared_layers", "neurons_option")}
    named |= {name: getattr(family, name) for name in ("logits_times", "logits_over", "parallel")}
    for name, field in named.items():
        if isinstance(field, str) and not hasattr(config, field):
            refuse(family, f"{name} = {field!r} is no field of the model's config")
    for field, wanted in family.needs.items():
        if getattr(config, field, None) != wanted:
            refuse(family, f"needs: {field} is {getattr(config, field, None)!r} in the config, and not {wanted!r}")


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


def _check_decoder(model: Any, family: Family, trunk: nn.Module) -> None:
    """It is the model's decoder, named where there is one beside an encoder."""
    found = _module(family, trunk, "decoder", family.decoder, "the base model")
    two = bool(getattr(model.config, "is_encoder_decoder", False))
    if two and found is None:
        refuse(family, "the model is an encoder-decoder: name its decoder, so that the layers are the encoder's")
    if found is not None and (not two or found is not model.get_decoder()):
        refuse(family, f"decoder = {family.decoder!r} is not the decoder of an encoder-decoder")


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
    linear = [("out", paths.out)] if paths.out else []
    linear += [("projections", path) for path in (paths.projections if isinstance(paths, AttentionPaths) else ())]
    for part, path in linear:
        found = _module(family, layer, f"{name}.{part}", path, where)
        if not is_linear(found):
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
    width = weight_of(layer.get_submodule(paths.out)).shape[1]
    if type(heads) is not int or heads < 1 or width % heads:
        refuse(
            family, f"heads = {family.heads!r} is {heads} in the config, and attention.out reads {width} numbers"
        )
    if type(kv_heads) is not int or kv_heads < 1 or heads % kv_heads:
        refuse(family, f"kv_heads = {family.kv_heads!r} is {kv_heads} in the config, beside {heads} heads")
    shared = width * kv_heads // heads
    wanted = {0: [], 1: [width + 2 * shared], 3: [width, shared, shared]}[len(paths.projections)]
    found = [weight_of(layer.get_submodule(path)).shape[0] for path in paths.projections]
    if found != wanted:
        refuse(family, f"attention.projections give {found} numbers, and {heads} heads need {wanted}")
    if len(found) == 1 and paths.fused == "by_head" and kv_heads != heads:
        refuse(
            family, f"attention.fused is by_head, and {heads} heads share {kv_heads} keys: leave projections out"
        )
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
    same, seen, plain = follow(judge, batch)
    if judge.anatomy.wiring is not None:
        check_borders(judge, batch, judge.anatomy.wiring, same, seen)
    check_verdict_read(judge, batch, same, seen, plain)


def follow(judge: Judge, batch: Batch) -> tuple[Comparison, Observed, Tensor]:
    """Step 2, in one pass; what was seen, and the scores (prompts,). Raises FamilyError, also for our entries."""
    family, wiring = described_family(judge), judge.anatomy.wiring
    with observing(judge) as seen:
        plain = score(judge, batch)
    same = Comparison(judge, batch)
    check_returns(judge, family, seen)
    if wiring is not None:
        for number, layer in enumerate(wiring.layers):
            check_layer(family, same, seen, number, layer, parallel=wiring.parallel)
    return same, seen, plain
