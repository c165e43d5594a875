"""What a judge says with some heads or neurons set to their mean: everything downstream is computed again.

1. A batch runs clean once; the residual stream before every layer that somebody ablates is kept for this batch.
2. Interventions whose first ablated layer is the same run together, as more rows of one batch, from that layer on.

Only scores come back. Who wants to see activations or attention looks at the clean runs, which cost nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.encode import Batch, Encoded, collate, packed
from analyzer.passes import Progress, score, unwatched
from analyzer.sources import known_wiring, module_input
from analyzer.suffix import starting_at
from analyzer.units import UnitMeans, token_roles
from shared.errors import JudgeError

if TYPE_CHECKING:
    from analyzer.judge import Judge

Look = Callable[[Sequence[int], Batch], AbstractContextManager[Any]]
"""Opened around each clean run with the prompts (places in what is run) of its batch; sets hooks of its own."""


@dataclass(frozen=True)
class Ablation:
    """Units to set to their means, together; none leaves the judge as it is."""

    neurons: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Layer -> neurons."""
    heads: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Layer -> heads."""

    @property
    def first_layer(self) -> int | None:
        """The first layer that is not as it was; None where nothing is ablated."""
        return min([*self.neurons, *self.heads], default=None)


@torch.inference_mode()
def ablated_scores(
    judge: Judge,
    encoded: Sequence[Encoded],
    means: UnitMeans,
    ablations: Sequence[Ablation],
    batch_tokens: int,
    progress: Progress = unwatched,
    look: Look | None = None,
) -> np.ndarray:
    """(ablations, n) scores, nats; of an ablation of nothing, those of the clean runs.

    `means` are taken by token role; a batch holds at most `batch_tokens` tokens. Raises JudgeError when a score is
    not finite, and CannotCompute where heads and neurons are not known.
    """
    known_wiring(judge)
    found = np.zeros((len(ablations), len(encoded)))
    by_layer: dict[int | None, list[int]] = {}
    for number, ablation in enumerate(ablations):
        by_layer.setdefault(ablation.first_layer, []).append(number)
    untouched = by_layer.pop(None, [])
    done = 0
    for rows in packed([len(prompt.ids) for prompt in encoded], batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        streams: dict[int | None, Tensor] = {}
        with _kept(judge, streams, [layer for layer in by_layer if layer is not None]), _seen(look, rows, batch):
            found[np.ix_(untouched, rows)] = _host(score(judge, batch))
        together = max(1, batch_tokens // batch.ids.numel())
        for layer, numbers in by_layer.items():
            for start in range(0, len(numbers), together):
                chosen = numbers[start : start + together]
                scores = _run(judge, batch, streams[layer], means, [ablations[i] for i in chosen])
                found[np.ix_(chosen, rows)] = _host(scores)
        done += len(rows)
        progress(done, len(encoded))
    if not np.isfinite(found).all():
        raise JudgeError("The score is not finite (NaN or infinity) once units are set to their means.")
    return found


@torch.inference_mode()
def look_at(
    judge: Judge,
    encoded: Sequence[Encoded],
    look: Look,
    batch_tokens: int,
    progress: Progress = unwatched,
) -> None:
    """Clean runs of all these prompts, only to be looked at."""
    done = 0
    for rows in packed([len(prompt.ids) for prompt in encoded], batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        with look(rows, batch):
            score(judge, batch)
        done += len(rows)
        progress(done, len(encoded))


def _host(scores: Tensor) -> np.ndarray:
    return scores.double().cpu().numpy()


@contextmanager
def _seen(look: Look | None, rows: Sequence[int], batch: Batch) -> Iterator[None]:
    if look is None:
        yield
        return
    with look(rows, batch):
        yield


@contextmanager
def _kept(judge: Judge, streams: dict[int | None, Tensor], layers: Sequence[int]) -> Iterator[None]:
    """Inside, a run keeps the residual stream (prompts, tokens, d_model) that each of `layers` reads."""
    with ExitStack() as stack:
        for layer in layers:
            keep: Any = lambda hidden, layer=layer: streams.__setitem__(layer, hidden)  # noqa: E731
            stack.enter_context(module_input(judge.anatomy.layers[layer], keep))
        yield


def _run(
    judge: Judge, batch: Batch, stream: Tensor, means: UnitMeans, ablations: Sequence[Ablation]
) -> Tensor:
    """(ablations, prompts) scores, all in one batch from their common first layer on, which reads `stream`."""
    count = len(ablations)
    layer = ablations[0].first_layer
    assert layer is not None  # noqa: S101 (an ablation of nothing needs no run)
    rows = Batch(batch.ids.repeat(count, 1), batch.mask.repeat(count, 1), None)
    with starting_at(judge, layer, stream.repeat(count, 1, 1)), _ablated(judge, batch.mask, means, ablations):
        return score(judge, rows).unflatten(0, (count, -1))


@contextmanager
def _ablated(judge: Judge, mask: Tensor, means: UnitMeans, ablations: Sequence[Ablation]) -> Iterator[None]:
    """Hooks that set each ablation's units to their means, in that ablation's rows; `mask` (prompts, tokens)."""
    wiring = known_wiring(judge)
    roles = token_roles(mask).clamp(max=2)  # whatever stands at padding is masked
    with ExitStack() as stack:
        for number, layer in enumerate(wiring.layers):
            for module, kind, size, table in (
                (layer.attention.out, "heads", wiring.head_size, means.heads),
                (layer.mlp.out, "neurons", 1, means.neurons),
            ):
                wanted = [getattr(ablation, kind).get(number, ()) for ablation in ablations]
                if any(len(units) for units in wanted):
                    hook = _setting(wanted, size, table[number], roles)
                    stack.callback(module.register_forward_pre_hook(hook).remove)
        yield


def _setting(wanted: Sequence[Sequence[int]], size: int, table: np.ndarray, roles: Tensor) -> Any:
    """A hook on a block's last linear map; `table` (3, width) holds the means by role, `roles` (prompts, tokens)."""
    prompts, device = len(roles), roles.device
    edits: list[tuple[slice, Tensor, Tensor]] = []  # an ablation's rows, its columns, and their means by role
    for number, units in enumerate(wanted):
        if len(units):
            columns = (np.asarray(units)[:, None] * size + np.arange(size)).ravel()
            rows = slice(number * prompts, (number + 1) * prompts)
            edits.append((rows, torch.from_numpy(columns).to(device), torch.from_numpy(table[:, columns]).to(device)))

    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = args[0].clone()
        for rows, columns, mean in edits:
            values[rows, :, columns] = mean.to(values.dtype)[roles]
        return (values, *args[1:])

    return hook
