"""A family that a user described, held against the loaded model: what ours are tested for, theirs is checked for.

1. Every path leads to a module of the right kind, in every layer.
2. In a real pass each block reads, writes and is added as the description says (this finds blocks that run side by
   side, scaled residuals, and norms in other places).
3. What the projections give one head changes no other head (this finds another order in a fused projection).
4. The model's upper part alone gives the same scores.

Raises FamilyError, in one sentence, at the first thing that is not so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from analyzer.jobs.family import AttentionPaths, BlockPaths, Family
from analyzer.model.anatomy import FUNCTIONS, head_of
from analyzer.model.device import is_out_of_memory
from analyzer.model.partial_pass import hidden_of, starting_at
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import score
from shared.errors import FamilyError

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Block, Layer, Wiring

NORMS = ("read_norm", "branch_norm", "trunk_norm")


def refuse(family: Family, reason: str) -> NoReturn:
    """Raise the sentence that says what is wrong with a description."""
    raise FamilyError(f"--family {family.name}: {reason}; nothing is analysed with it (docs/families.md).")


def check_paths(model: Any, family: Family, *, prompted: bool) -> None:
    """Step 1. A judge that answers needs no `head`."""
    trunk = getattr(model, getattr(model, "base_model_prefix", ""), None)
    if not isinstance(trunk, nn.Module):
        refuse(family, "the model has no base model below which its parts could be looked for")
    for name in ("embedding_block", "embeddings", "layers", "final_norm"):
        _module(family, trunk, name, getattr(family, name), "the base model")
    if trunk.get_submodule(family.embeddings) is not model.get_input_embeddings():
        refuse(family, f"embeddings = {family.embeddings!r} is not the model's word embeddings")
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
        if found is not None and not isinstance(found, nn.Identity) and not _is_norm(found):
            kind = type(found).__name__
            refuse(family, f"{name}.{part} = {path!r} is a {kind}, and must be a LayerNorm or RMSNorm with a gain")


def _is_norm(module: nn.Module) -> bool:
    has_epsilon = any(hasattr(module, name) for name in ("eps", "variance_epsilon"))
    gain = getattr(module, "weight", None)
    return has_epsilon and isinstance(gain, Tensor) and gain.ndim == 1


def _check_heads(family: Family, paths: AttentionPaths, layer: nn.Module, config: Any) -> None:
    """The number of heads, and that the projections are as wide as it says."""
    heads = getattr(config, family.heads, None)
    kv_heads = getattr(config, family.kv_heads, None) or heads
    width = int(layer.get_submodule(paths.out).in_features)  # type: ignore[arg-type]
    if not isinstance(heads, int) or heads < 1 or width % heads:
        refuse(
            family, f"heads = {family.heads!r} is {heads} in the config, and attention.out reads {width} numbers"
        )
    if not isinstance(kv_heads, int) or kv_heads < 1 or heads % kv_heads:
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


@dataclass
class _Seen:
    """What went in and out of modules in one pass."""

    family: Family
    inputs: dict[nn.Module, Any] = field(default_factory=dict)
    outputs: dict[nn.Module, Any] = field(default_factory=dict)

    def hook(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if module in self.outputs:
            refuse(self.family, f"a {type(module).__name__} that it names is called twice in one pass")
        self.inputs[module] = args[0] if args else kwargs.get("hidden_states")
        self.outputs[module] = output

    def into(self, module: nn.Module, name: str) -> Tensor:
        return self._tensor(self.inputs.get(module), name, "is not called with hidden states")

    def out_of(self, module: nn.Module, name: str) -> Tensor:
        return self._tensor(hidden_of(self.outputs.get(module)), name, "does not return hidden states")

    def _tensor(self, value: Any, name: str, problem: str) -> Tensor:
        if not isinstance(value, Tensor) or value.ndim != 3:  # (prompts, tokens, width)
            refuse(self.family, f"{name} {problem}, prompts x tokens x width")
        return value


def check_flow(judge: Judge, batch: Batch) -> None:
    """Steps 2 to 4, on a batch of prompts."""
    family, anatomy = judge.given, judge.anatomy
    assert family is not None  # noqa: S101 (the caller's condition)
    seen = _Seen(family)
    with _watched(judge, seen):
        plain = score(judge, batch)
    for number, layer in enumerate(anatomy.layers):
        name = f"layers: layer {number} of {family.layers!r}"
        seen.into(layer, name)
        seen.out_of(layer, name)
        if isinstance(seen.outputs[layer], tuple) != family.layers_return_pairs:
            returns = "hidden states alone" if family.layers_return_pairs else "a tuple"
            refuse(
                family,
                f"layers_return_pairs is {str(family.layers_return_pairs).lower()}, and {name} returns {returns}",
            )
    same = _Comparison(judge, batch)
    if anatomy.wiring is not None:
        for number, layer in enumerate(anatomy.wiring.layers):
            _check_layer(family, same, seen, number, layer)
        _check_heads_apart(judge, batch, anatomy.wiring, same, seen)
    if not anatomy.prompted:
        _check_head(judge, family, seen.out_of(anatomy.layers[-1], "layers"))
    with starting_at(judge, anatomy.depth, seen.out_of(anatomy.layers[-1], "layers")):
        alone = score(judge, batch)
    if not same.close(alone, plain):
        refuse(family, f"layers = {family.layers!r} are not all that stands between embeddings and head")


@contextmanager
def _watched(judge: Judge, seen: _Seen) -> Iterator[None]:
    modules: dict[nn.Module, None] = dict.fromkeys(judge.anatomy.layers)
    for layer in judge.anatomy.wiring.layers if judge.anatomy.wiring is not None else ():
        modules |= dict.fromkeys(layer.projections)
        for block in (layer.attention, layer.mlp):
            norms = [norm for norm in (block.read_norm, block.branch_norm, block.trunk_norm) if norm is not None]
            modules |= dict.fromkeys([block.inlet, block.out, *norms])
    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(seen.hook, with_kwargs=True).remove)
        yield


class _Comparison:
    """Equality to the rounding of the judge's precision, at real tokens."""

    def __init__(self, judge: Judge, batch: Batch) -> None:
        self.tolerance = rounding_of(judge.dtype)
        self.real = batch.mask.bool()

    def __call__(self, found: Tensor, wanted: Tensor) -> bool:
        """Of (prompts, tokens, width)."""
        return found.shape == wanted.shape and self.close(found[self.real], wanted[self.real])

    def close(self, found: Tensor, wanted: Tensor) -> bool:
        """Relative to 1 + the size of what is wanted."""
        found, wanted = found.double(), wanted.double()
        return bool((found - wanted).abs().max() <= self.tolerance * (1 + wanted.abs().max()))


def _check_layer(family: Family, same: _Comparison, seen: _Seen, number: int, layer: Layer) -> None:
    """Follow the residual stream through one layer."""
    side_by_side = "where attention and MLP do not write one after the other, leave both out"

    def reads(module: nn.Module, name: str, wanted: Tensor, what: str) -> None:
        if not same(seen.into(module, name), wanted):
            refuse(family, f"{name} of layer {number} does not read {what} ({side_by_side})")

    stream = seen.into(layer.module, "layers")
    after = "the residual stream that the layer reads"
    for kind, block in _blocks(layer):
        read, what = stream, after
        if block.read_norm is not None:
            reads(block.read_norm, f"{kind}.read_norm", stream, after)
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
        stream, after = stream + written, f"the residual stream after {kind}"
        if block.trunk_norm is not None:
            reads(block.trunk_norm, f"{kind}.trunk_norm", stream, after)
            stream = seen.out_of(block.trunk_norm, f"{kind}.trunk_norm")
    if not same(seen.out_of(layer.module, "layers"), stream):
        refuse(
            family,
            f"layer {number} does not return its input plus what attention.out and mlp.out write ({side_by_side})",
        )


def _blocks(layer: Layer) -> tuple[tuple[str, Block], tuple[str, Block]]:
    return ("attention", layer.attention), ("mlp", layer.mlp)


def _check_heads_apart(judge: Judge, batch: Batch, wiring: Wiring, same: _Comparison, seen: _Seen) -> None:
    """Disturb what each projection of the first layer gives its first head: the other heads go on as they were."""
    layer, family = wiring.layers[0], judge.given
    assert family is not None  # noqa: S101 (the caller's condition)
    plain = seen.into(layer.attention.out, "attention.out")
    fused = len(layer.projections) == 1
    for place, projection in enumerate(layer.projections):
        heads = wiring.kv_heads if place else wiring.heads
        for part in range(3 if fused else 1):
            found: list[Tensor] = []
            with ExitStack() as stack:
                start = part * heads * wiring.head_size
                noise = _noise_in(slice(start, start + wiring.head_size))
                stack.callback(projection.register_forward_hook(noise).remove)
                keep = lambda _module, args: found.append(args[0])  # noqa: B023, E731
                stack.callback(layer.attention.out.register_forward_pre_hook(keep).remove)
                score(judge, batch)
            rest = slice(wiring.heads // heads * wiring.head_size, None)
            if not same(found[0][..., rest], plain[..., rest]):
                refuse(
                    family,
                    "attention.projections do not hold the heads in the order that was expected (queries "
                    "before keys before values, head by head): leave them out, and circuits have no edges",
                )


def _noise_in(columns: slice) -> Any:
    def hook(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        output = output.clone()
        given = output[..., columns]
        noise = torch.randn(given.shape, generator=torch.Generator().manual_seed(0))
        output[..., columns] = given + noise.to(given) * (1 + given.abs().max())
        return output

    return hook


def _check_head(judge: Judge, family: Family, hidden: Tensor) -> None:
    """The head takes one pooled state a prompt and gives two logits."""
    head = head_of(judge.model, family)
    if head is None:
        return
    try:
        logits = head(hidden[:, 0])
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        refuse(family, f"head = {list(family.head)} cannot be run on a pooled state ({reason.rstrip('.')})")
    if not isinstance(logits, Tensor) or logits.shape != (len(hidden), 2):
        refuse(family, f"head = {list(family.head)} does not give two logits a prompt")
