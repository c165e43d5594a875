"""The residual stream where an intervention begins, as a clean pass leaves it, and as changed neurons leave it.

Heads are changed inside their layer, which then runs again. Neurons are read by one linear map, the last of their
layer: what the changed ones write differs by that map of the difference, so the stream behind the layer is known
without running it, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from analyzer.model.judge import known_wiring
from analyzer.model.linear_maps import weight_of
from analyzer.model.partial_pass import hidden_of, module_input, without_layers
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.wiring import Layer


class Start(NamedTuple):
    """Where an intervention begins."""

    layer: int
    behind: bool
    """Whether only its neurons change, so that the layer itself need not run again."""

    @property
    def first_run(self) -> int:
        """The first layer that runs again; the depth where none does."""
        return self.layer + self.behind


@dataclass
class CleanStream:
    """Of one batch at one start; all (prompts, tokens, width)."""

    found: dict[str, Tensor] = field(default_factory=dict)
    """ "stream": what the layer reads, or behind it, what it gives (before its last norm of the whole stream, where
    it has one); behind it also "values", its neurons, and "written", what its MLP writes of them."""

    def repeated(self, count: int) -> Tensor:
        """(count * prompts, tokens, d_model): what the layer reads."""
        return self.found["stream"].repeat(count, 1, 1)

    def changed(self, layer: Layer, other: Tensor, chosen: Sequence[Sequence[int]]) -> Tensor:
        """(sets * prompts, tokens, d_model) behind the layer, with each set of neurons at its `other` values."""
        block, values, written = layer.mlp, self.found["values"], self.found["written"]
        weight, found = weight_of(block.out).T, []
        for units in chosen:
            columns = torch.as_tensor(units, device=values.device)
            way = (other[..., columns] - values[..., columns]) @ weight[columns].to(values.dtype)
            if block.branch_norm is not None:
                way = block.branch_norm(written + way) - block.branch_norm(written)
            found.append(self.found["stream"] + block.scale * way)
        stream = torch.cat(found)
        return stream if block.trunk_norm is None else block.trunk_norm(stream)

    def take(self, name: str) -> Any:
        """A hook's way to leave a tensor here."""
        return lambda hidden: self.found.__setitem__(name, hidden)


def clean_streams(judge: Judge, batch: Batch, starts: Sequence[Start]) -> dict[Start, CleanStream]:
    """One clean pass; no layer above the last start runs."""
    kept = {start: CleanStream() for start in starts}
    with ExitStack() as stack:
        stack.enter_context(
            without_layers(judge, range(max(start.first_run for start in starts), judge.anatomy.depth))
        )
        for start, clean in kept.items():
            if start.behind:
                _keep_behind(known_wiring(judge).layers[start.layer], clean, stack)
            else:
                stack.enter_context(module_input(judge.anatomy.layers[start.layer], clean.take("stream")))
        score(judge, batch)
    return kept


def _keep_behind(layer: Layer, clean: CleanStream, stack: ExitStack) -> None:
    def output(name: str) -> Any:
        return lambda _module, _args, output: clean.take(name)(hidden_of(output))

    block = layer.mlp
    stack.enter_context(module_input(block.out, clean.take("values")))
    stack.callback(block.out.register_forward_hook(output("written")).remove)
    if block.trunk_norm is None:
        stack.callback(layer.module.register_forward_hook(output("stream")).remove)
    else:
        stack.enter_context(module_input(block.trunk_norm, clean.take("stream")))
