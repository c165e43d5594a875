"""One real pass under a user's description of a family: what goes in and out of the modules that it names.

`refuse` is how every check of a description ends that fails: one sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from analyzer.jobs.family import Family
from analyzer.model.partial_pass import hidden_of
from analyzer.model.rounding import rounding_of
from shared.errors import FamilyError

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Block, Layer


def refuse(family: Family, reason: str) -> NoReturn:
    """Raise the sentence that says what is wrong with a description."""
    message = f"--family {family.name}: {reason}; nothing is analysed with it (docs/families.md)."
    raise FamilyError(message, reason)


def described_family(judge: Judge) -> Family:
    """What the user says of this judge's family, or else our own entry."""
    family = judge.given or judge.anatomy.described
    assert family is not None  # noqa: S101 (only such judges are checked)
    return family


def blocks_of(layer: Layer) -> tuple[tuple[str, Block], tuple[str, Block]]:
    """A layer's blocks in the order in which they write, named as in a description."""
    return ("attention", layer.attention), ("mlp", layer.mlp)


@dataclass
class Observed:
    """What went in and out of modules in one pass."""

    family: Family
    inputs: dict[nn.Module, Any] = field(default_factory=dict)
    outputs: dict[nn.Module, Any] = field(default_factory=dict)

    def hook(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if module in self.outputs:
            refuse(self.family, f"a {type(module).__name__} that it names is called twice in one pass")
        self.inputs[module] = args[0] if args else kwargs.get("hidden_states")
        self.outputs[module] = output

    def called_before(self, first: nn.Module, second: nn.Module) -> bool:
        """Whether one module had run when the other one had."""
        order = list(self.outputs)
        return first in self.outputs and second in self.outputs and order.index(first) < order.index(second)

    def into(self, module: nn.Module, name: str) -> Tensor:
        return self._tensor(self.inputs.get(module), name, "is not called with hidden states")

    def out_of(self, module: nn.Module, name: str) -> Tensor:
        return self._tensor(hidden_of(self.outputs.get(module)), name, "does not return hidden states")

    def _tensor(self, value: Any, name: str, problem: str) -> Tensor:
        if not isinstance(value, Tensor) or value.ndim != 3:  # (prompts, tokens, width)
            refuse(self.family, f"{name} {problem}, prompts x tokens x width")
        return value


@contextmanager
def observing(judge: Judge) -> Iterator[Observed]:
    """Inside, one call of the judge is observed at every module that its description names below the base model."""
    anatomy, seen = judge.anatomy, Observed(described_family(judge))
    modules: dict[nn.Module, None] = dict.fromkeys(anatomy.layers)
    if anatomy.final_norm is not None:
        modules[anatomy.final_norm] = None
    for layer in anatomy.wiring.layers if anatomy.wiring is not None else ():
        modules |= dict.fromkeys(layer.projections)
        for block in (layer.attention, layer.mlp):
            norms = [norm for norm in (block.read_norm, block.branch_norm, block.trunk_norm) if norm is not None]
            modules |= dict.fromkeys([block.inlet, block.out, *norms])
    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(seen.hook, with_kwargs=True).remove)
        yield seen


class Comparison:
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


def disturbed(values: Tensor) -> Tensor:
    """Values with noise that is larger than any of them; the same at every call."""
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    return values + noise.to(values) * (1 + values.abs().max())
