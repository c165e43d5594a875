"""What a judge says with some heads or neurons set to their mean: everything downstream is computed again.

1. A batch runs clean once; the residual stream before every layer that somebody ablates is kept for this batch.
2. Interventions whose first ablated layer is the same run together, as more rows of one batch, from that layer on.

Only scores come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.batches import Batch, Encoded, collate, packed
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.judge import known_wiring
from analyzer.model.partial_pass import module_input, starting_at
from analyzer.model.scoring import score
from analyzer.model.unit_recording import UnitMeans, token_roles

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


@dataclass(frozen=True)
class Ablation:
    """Units to set to their means, together."""

    neurons: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Layer -> neurons."""
    heads: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Layer -> heads."""

    @property
    def first_layer(self) -> int:
        """The first layer that is not as it was. Raises ValueError where nothing is ablated."""
        return min([*self.neurons, *self.heads])


@torch.inference_mode()
def ablated_scores(
    judge: Judge,
    encoded: Sequence[Encoded],
    means: UnitMeans,
    ablations: Sequence[Ablation],
    batch_tokens: int,
    progress: Progress = unwatched,
) -> np.ndarray:
    """(ablations, n) scores, nats. `means` are taken by token role; a batch holds at most `batch_tokens` tokens."""
    found = np.zeros((len(ablations), len(encoded)))
    by_layer: dict[int, list[int]] = {}
    for number, ablation in enumerate(ablations):
        by_layer.setdefault(ablation.first_layer, []).append(number)
    done = 0
    for rows in packed([len(prompt.ids) for prompt in encoded], batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        streams = _clean_streams(judge, batch, list(by_layer))
        together = max(1, batch_tokens // batch.ids.numel())
        for layer, numbers in by_layer.items():
            for start in range(0, len(numbers), together):
                chosen = numbers[start : start + together]
                scores = _run(judge, batch, streams[layer], layer, means, [ablations[i] for i in chosen])
                found[np.ix_(chosen, rows)] = scores.double().cpu().numpy()
        done += len(rows)
        progress(done, len(encoded))
    return found


def _clean_streams(judge: Judge, batch: Batch, layers: Sequence[int]) -> dict[int, Tensor]:
    """Layer -> (prompts, tokens, d_model) the residual stream that it reads."""
    kept: dict[int, Tensor] = {}
    with ExitStack() as stack:
        for layer in layers:
            keep: Any = lambda hidden, layer=layer: kept.__setitem__(layer, hidden)  # noqa: E731
            stack.enter_context(module_input(judge.anatomy.layers[layer], keep))
        score(judge, batch)
    return kept


def _run(
    judge: Judge, batch: Batch, stream: Tensor, layer: int, means: UnitMeans, ablations: Sequence[Ablation]
) -> Tensor:
    """(ablations, prompts) scores, all in one batch from `layer` on."""
    count = len(ablations)
    rows = Batch(batch.ids.repeat(count, 1), batch.mask.repeat(count, 1), None)
    with starting_at(judge, layer, stream.repeat(count, 1, 1)), _ablated(judge, rows.mask, means, ablations):
        return score(judge, rows).unflatten(0, (count, -1))


@contextmanager
def _ablated(judge: Judge, mask: Tensor, means: UnitMeans, ablations: Sequence[Ablation]) -> Iterator[None]:
    """Hooks that set each ablation's units to their means, in that ablation's rows."""
    wiring = known_wiring(judge)
    roles = token_roles(mask).clamp(max=2)
    prompts = len(mask) // len(ablations)
    with ExitStack() as stack:
        for number, layer in enumerate(wiring.layers):
            for module, kind, size, table in (
                (layer.attention.out, "heads", wiring.head_size, means.heads),
                (layer.mlp.out, "neurons", 1, means.neurons),
            ):
                wanted = [getattr(ablation, kind).get(number, ()) for ablation in ablations]
                if any(len(units) for units in wanted):
                    hook = _setting(wanted, size, table[number], roles, prompts)
                    stack.callback(module.register_forward_pre_hook(hook).remove)
        yield


def _setting(wanted: Sequence[Sequence[int]], size: int, table: np.ndarray, roles: Tensor, prompts: int) -> Any:
    """A hook on a block's last linear map; `table` (3, width) holds the means by role."""
    columns = [
        torch.tensor([unit * size + place for unit in units for place in range(size)], device=roles.device)
        for units in wanted
    ]

    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = args[0].clone()
        for number, chosen in enumerate(columns):
            if len(chosen):
                rows = slice(number * prompts, (number + 1) * prompts)
                mean = torch.as_tensor(table[:, chosen.cpu().numpy()], device=values.device, dtype=values.dtype)
                values[rows, :, chosen] = mean[roles[rows]]
        return (values, *args[1:])

    return hook
