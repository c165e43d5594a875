"""Patching by plain hooks: what the score is when one unit, or one edge alone, carries its twin's value.

The yardstick of attribution patching and of circuit runs, with nothing of theirs in it. Prompts of one length run
together, without padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.patching.references import References
from analyzer.session.context import Context

Kept = dict[tuple[nn.Module, str], Any]
"""(module, "in" or "out") -> what went in or came out."""


@dataclass
class Group:
    """Prompts of one length, beside their twins."""

    ids: Tensor
    """(prompts, tokens)"""
    sign: np.ndarray
    clean: np.ndarray
    """(prompts,) nats."""
    ours: Kept
    theirs: Kept


@dataclass
class ByHand:
    """Exact patching of one judge on the prompts of `references`."""

    context: Context
    references: References
    groups: list[Group] = field(init=False)

    def __post_init__(self) -> None:
        self.wiring: Any = self.context.judge.anatomy.wiring
        self.blocks = [block for layer in self.wiring.layers for block in (layer.attention, layer.mlp)]
        places: dict[int, list[int]] = {}
        for place, index in enumerate(self.references.indices):
            places.setdefault(len(self.context.encoded[index].ids), []).append(place)
        self.groups = [self._group(chosen) for chosen in places.values()]

    def _group(self, places: list[int]) -> Group:
        references, encoded = self.references, self.context.encoded
        ids, twins = (
            torch.tensor([encoded[int(index)].ids for index in indices[places]])
            for indices in (references.indices, references.twins)
        )
        (clean, ours), (_, theirs) = self._run(ids), self._run(twins)
        return Group(ids, references.sign[places], clean, ours, theirs)

    def units(self, kind: str) -> np.ndarray:
        """(layers, units) mean class-signed score that is lost when one of the "heads" or "neurons" is patched."""
        shape = len(self.wiring.layers), self.wiring.heads if kind == "heads" else self.wiring.neurons
        return self.these_units(kind, list(np.ndindex(shape))).reshape(shape)

    def these_units(self, kind: str, chosen: Sequence[tuple[int, ...]]) -> np.ndarray:
        """(units,) the same for single units (layer, unit)."""
        part, size = ("attention", self.wiring.head_size) if kind == "heads" else ("mlp", 1)
        lost = np.zeros(len(chosen))
        for group in self.groups:
            for place, (layer, unit) in enumerate(chosen):
                module = getattr(self.wiring.layers[layer], part).out
                columns = slice(unit * size, (unit + 1) * size)
                hook = module.register_forward_pre_hook(_putting(group.theirs[module, "in"], columns))
                lost[place] += self._lost(group, [hook])
        return lost / self.references.n

    def together(self, nodes: Iterable[str]) -> float:
        """The same for whole heads and MLPs ("L0.H2", "L1.MLP") that are patched at once."""
        lost = 0.0
        for group in self.groups:
            hooks = []
            for name in nodes:
                layer, unit = name[1:].split(".")
                part = "mlp" if unit == "MLP" else "attention"
                module = getattr(self.wiring.layers[int(layer)], part).out
                start = 0 if unit == "MLP" else int(unit[1:]) * self.wiring.head_size
                columns = slice(start, None if unit == "MLP" else start + self.wiring.head_size)
                hooks.append(module.register_forward_pre_hook(_putting(group.theirs[module, "in"], columns)))
            lost += self._lost(group, hooks)
        return lost / self.references.n

    def edges(self, chosen: Sequence[tuple[int, int]]) -> np.ndarray:
        """(edges,) the same for single edges (source, target), numbered as in `analyzer/patching/graph.py`.

        Where heads share keys and values, edges into heads cannot be patched like this.
        """
        found = [sum(self._lost(group, self._cut(group, *edge)) for group in self.groups) for edge in chosen]
        return np.array(found) / self.references.n

    def _cut(self, group: Group, source: int, target: int) -> list[Any]:
        """Hooks by which `target` alone reads what `source` writes for the twin."""
        layer, head = divmod(target, self.wiring.heads + 1)
        is_mlp = head == self.wiring.heads
        number = 2 * layer + is_mlp  # of the block that reads; 2 * layers is the verdict
        reads = 2 * layer if self.wiring.parallel else number  # blocks that have written by then
        shift, writer = self._written(group, source)
        for block in self.blocks[max(writer, 0) : reads]:  # past the norms of the stream, other writes as they were
            if block.trunk_norm is not None:
                before, after = group.ours[block.trunk_norm, "in"], group.ours[block.trunk_norm, "out"]
                shift = block.trunk_norm(before + shift) - after
        if reads == len(self.blocks):
            last = self.wiring.layers[-1].module
            own: Any = group.ours[last, "out"] + shift
            return [
                last.register_forward_hook(lambda _m, _a, out: (own, *out[1:]) if isinstance(out, tuple) else own)
            ]
        block = self.blocks[number]
        norm = block.read_norm
        own = group.ours[norm or block.inlet, "in"] + shift
        own = own if norm is None else norm(own)
        if is_mlp:
            return [block.inlet.register_forward_pre_hook(lambda _m, args: (own, *args[1:]))]
        return [
            projection.register_forward_hook(self._projecting(own, head))
            for projection in self.wiring.layers[layer].projections
        ]

    def _written(self, group: Group, source: int) -> tuple[Tensor, int]:
        """What a source writes more for the twin than for the prompt; the number of its block, -1: the input."""
        if source == 0:
            first = self.wiring.layers[0].module
            return group.theirs[first, "in"] - group.ours[first, "in"], -1
        layer, head = divmod(source - 1, self.wiring.heads + 1)
        is_mlp, size = head == self.wiring.heads, self.wiring.head_size
        block = self.blocks[2 * layer + is_mlp]
        columns = slice(None) if is_mlp else slice(head * size, (head + 1) * size)
        change = torch.zeros_like(group.ours[block.out, "in"])
        change[..., columns] = (group.theirs[block.out, "in"] - group.ours[block.out, "in"])[..., columns]
        before = group.ours[block.out, "out"]
        after = before + block.out(change) - block.out(torch.zeros_like(change))
        if block.branch_norm is not None:
            before, after = block.branch_norm(before), block.branch_norm(after)
        return (after - before) * block.scale, 2 * layer + is_mlp

    def _projecting(self, own: Tensor, head: int) -> Callable[..., Tensor]:
        size, all_heads = self.wiring.head_size, self.wiring.heads * self.wiring.head_size
        assert self.wiring.kv_heads == self.wiring.heads, "keys and values are shared"

        def hook(projection: nn.Module, _args: Any, output: Tensor) -> Tensor:
            output = output.clone()
            mine = projection.forward(own)
            fused = output.shape[-1] == 3 * all_heads
            if fused and self.wiring.fused == "by_head":
                spans = [slice(3 * head * size, 3 * (head + 1) * size)]
            else:
                starts = [part * all_heads + head * size for part in range(3 if fused else 1)]
                spans = [slice(start, start + size) for start in starts]
            for columns in spans:
                output[..., columns] = mine[..., columns]
            return output

        return hook

    def _lost(self, group: Group, hooks: Sequence[Any]) -> float:
        with hooked(hooks):
            return float(group.sign @ (group.clean - self._scores(group.ids)))

    def _run(self, ids: Tensor) -> tuple[np.ndarray, Kept]:
        """Scores of a plain run, and what goes in and out of every part."""
        kept: Kept = {}

        def keep(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            kept[module, "in"] = args[0] if args else kwargs["hidden_states"]
            kept[module, "out"] = output[0] if isinstance(output, tuple) else output

        parts = {layer.module for layer in self.wiring.layers}
        for block in self.blocks:
            parts |= {block.inlet, block.out, block.read_norm, block.trunk_norm} - {None}
        with hooked([part.register_forward_hook(keep, with_kwargs=True) for part in parts]):
            return self._scores(ids), kept

    @torch.no_grad()
    def _scores(self, ids: Tensor) -> np.ndarray:
        """(prompts,) nats."""
        judge = self.context.judge
        logits = judge.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        if judge.record.kind == "prompted":
            logits = logits[:, -1]
        return (logits[:, judge.record.unsafe_id] - logits[:, judge.record.safe_id]).double().numpy()


def _putting(theirs: Tensor, columns: slice) -> Callable[..., tuple[Tensor]]:
    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        values = args[0].clone()
        values[..., columns] = theirs[..., columns]
        return (values,)

    return hook


@contextmanager
def hooked(hooks: Sequence[Any]) -> Iterator[None]:
    """Removes the hooks afterwards."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
