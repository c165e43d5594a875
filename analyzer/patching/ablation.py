"""What a judge says with some heads or neurons set to their mean: everything downstream is computed again.

1. A batch runs clean as far as the last layer at which somebody begins; the residual stream before every such layer
   is kept for this batch.
2. Interventions whose first ablated layer is the same run together, as more rows of one batch, from that layer on.

Only scores come back. With twins, what is set takes the twin's value instead of a mean (`patched_scores`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.batches import Batch, Encoded, collate
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.judge import known_wiring
from analyzer.model.partial_pass import module_input, starting_at, without_layers
from analyzer.model.scoring import finite_scores, score
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
    batches = judge.batches(encoded, batch_tokens)
    return _scores(judge, encoded, batches, means, ablations, batch_tokens, progress)


@torch.inference_mode()
def patched_scores(
    judge: Judge,
    encoded: Sequence[Encoded],
    ablations: Sequence[Ablation],
    batch_tokens: int,
    progress: Progress = unwatched,
) -> np.ndarray:
    """(ablations, n) scores, nats, of units set to the twin's value; `encoded` are aligned twins side by side.

    An ablation must be of one layer, so that the twin's value there is what the twin itself has. Raises ValueError
    otherwise.
    """
    if any(len({*ablation.neurons, *ablation.heads}) != 1 for ablation in ablations):
        raise ValueError("only units of one layer can take their twin's value")
    pairs = judge.batches(encoded[::2], max(1, batch_tokens // 2))
    batches = ([row for pair in chosen for row in (2 * pair, 2 * pair + 1)] for chosen in pairs)
    return _scores(judge, encoded, batches, None, ablations, batch_tokens, progress)


def _scores(
    judge: Judge,
    encoded: Sequence[Encoded],
    batches: Iterable[list[int]],
    means: UnitMeans | None,
    ablations: Sequence[Ablation],
    batch_tokens: int,
    progress: Progress,
) -> np.ndarray:
    found = np.zeros((len(ablations), len(encoded)))
    by_layer: dict[int, list[int]] = {}
    for number, ablation in enumerate(ablations):
        by_layer.setdefault(ablation.first_layer, []).append(number)
    done = 0
    for rows in batches:
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
    return finite_scores(found, "prompts with units changed")


def _clean_streams(judge: Judge, batch: Batch, layers: Sequence[int]) -> dict[int, Tensor]:
    """Layer -> (prompts, tokens, d_model) the residual stream that it reads; no layer above these runs."""
    kept: dict[int, Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(without_layers(judge, range(max(layers), judge.anatomy.depth)))
        for layer in layers:
            keep: Any = lambda hidden, layer=layer: kept.__setitem__(layer, hidden)  # noqa: E731
            stack.enter_context(module_input(judge.anatomy.layers[layer], keep))
        score(judge, batch)
    return kept


def _run(
    judge: Judge, batch: Batch, stream: Tensor, layer: int, means: UnitMeans | None, ablations: Sequence[Ablation]
) -> Tensor:
    """(ablations, prompts) scores, all in one batch from `layer` on."""
    count = len(ablations)
    rows = Batch(batch.ids.repeat(count, 1), batch.mask.repeat(count, 1), None)
    with starting_at(judge, layer, stream.repeat(count, 1, 1)), _ablated(judge, rows.mask, means, ablations):
        return score(judge, rows).unflatten(0, (count, -1))


@contextmanager
def _ablated(judge: Judge, mask: Tensor, means: UnitMeans | None, ablations: Sequence[Ablation]) -> Iterator[None]:
    """Hooks that set each ablation's units to their means (or their twin's values), in that ablation's rows."""
    wiring = known_wiring(judge)
    roles = token_roles(mask).clamp(max=2)
    prompts = len(mask) // len(ablations)
    with ExitStack() as stack:
        for number, layer in enumerate(wiring.layers):
            for module, kind, size in (
                (layer.attention.out, "heads", wiring.head_size),
                (layer.mlp.out, "neurons", 1),
            ):
                wanted = [getattr(ablation, kind).get(number, ()) for ablation in ablations]
                if any(len(units) for units in wanted):
                    table = None if means is None else getattr(means, kind)[number]
                    hook = _setting(wanted, size, table, roles, prompts)
                    stack.callback(module.register_forward_pre_hook(hook).remove)
        yield


def _setting(
    wanted: Sequence[Sequence[int]], size: int, table: np.ndarray | None, roles: Tensor, prompts: int
) -> Any:
    """A hook on a block's last linear map; `table` (3, width) holds the means by role, None stands for twins."""
    columns = [
        torch.tensor([unit * size + place for unit in units for place in range(size)], device=roles.device)
        for units in wanted
    ]

    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = args[0].clone()
        for number, chosen in enumerate(columns):
            if len(chosen):
                rows = slice(number * prompts, (number + 1) * prompts)
                if table is None:
                    twins = args[0][rows, :, chosen].unflatten(0, (-1, 2)).flip(1)
                    values[rows, :, chosen] = twins.flatten(0, 1)
                    continue
                mean = torch.as_tensor(table[:, chosen.cpu().numpy()], device=values.device, dtype=values.dtype)
                values[rows, :, chosen] = mean[roles[rows]]
        return (values, *args[1:])

    return hook
