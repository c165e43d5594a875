"""What a judge says with some heads or neurons set to their mean: everything downstream is computed again.

1. A batch runs clean as far as the last layer at which somebody begins; the residual stream before every such layer
   is kept for this batch (`stream_change.py`). Where only neurons change in the first layer, what the changed ones
   write is added to the stream behind it.
2. Interventions that begin at the same place run together, as more rows of one batch, from there on.
3. The last layer is computed where the verdict is read alone (`verdict_token.py`).

Only scores come back. With twins, what is set takes the twin's value instead of a mean (`patched_scores`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analyzer.model.batches import Batch, Encoded, collate
from analyzer.model.hooked_pass import Progress, unwatched
from analyzer.model.judge import known_wiring
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import finite_scores
from analyzer.model.unit_recording import UnitMeans, token_roles
from analyzer.model.verdict_token import VerdictToken, score_alone, verdict_token
from analyzer.patching.stream_change import CleanStream, Start, clean_streams

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

    @property
    def start(self) -> Start:
        """Where it begins."""
        return Start(self.first_layer, behind=self.first_layer not in self.heads)


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
    by_start: dict[Start, list[int]] = {}
    for number, ablation in enumerate(ablations):
        by_start.setdefault(ablation.start, []).append(number)
    done = 0
    for rows in batches:
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        streams = clean_streams(judge, batch, list(by_start))
        together = max(1, batch_tokens // batch.ids.numel())
        for start, numbers in by_start.items():
            for first in range(0, len(numbers), together):
                chosen = numbers[first : first + together]
                scores = _run(judge, batch, streams[start], start, means, [ablations[i] for i in chosen])
                found[np.ix_(chosen, rows)] = scores.double().cpu().numpy()
        done += len(rows)
        progress(done, len(encoded))
    return finite_scores(found, "prompts with units changed")


def _run(
    judge: Judge,
    batch: Batch,
    clean: CleanStream,
    start: Start,
    means: UnitMeans | None,
    ablations: Sequence[Ablation],
) -> Tensor:
    """(ablations, prompts) scores, all in one batch from where they begin."""
    count, layers = len(ablations), known_wiring(judge).layers
    others = _Others(means, token_roles(batch.mask).clamp(max=2), verdict_token(judge, batch))
    if start.behind:
        chosen = [ablation.neurons[start.layer] for ablation in ablations]
        values = others.of("neurons", start.layer, clean.found["values"])
        stream = clean.changed(layers[start.layer], values, chosen)
    else:
        stream = clean.repeated(count)
    rows = Batch(batch.ids.repeat(count, 1), batch.mask.repeat(count, 1), None)
    with ExitStack() as stack:
        stack.enter_context(starting_at(judge, start.first_run, stream))
        for number in range(start.first_run, len(layers)):
            for module, kind in ((layers[number].attention.out, "heads"), (layers[number].mlp.out, "neurons")):
                wanted = [getattr(ablation, kind).get(number, ()) for ablation in ablations]
                if any(len(units) for units in wanted):
                    hook = _setting(wanted, kind, number, others, known_wiring(judge).head_size)
                    stack.callback(module.register_forward_pre_hook(hook).remove)
        return score_alone(judge, rows).unflatten(0, (count, -1))


@dataclass(frozen=True)
class _Others:
    """What units of one batch are set to: their means, or where there are none their twins' values."""

    means: UnitMeans | None
    roles: Tensor
    """(prompts, tokens)"""
    read: VerdictToken | None
    """Where the last layer is computed alone."""

    def of(self, kind: str, layer: int, values: Tensor) -> Tensor:
        """(..., prompts, tokens, width) for what the units are: (prompts, tokens, width), or at the read token."""
        if self.means is None:
            return values.unflatten(-3, (-1, 2)).flip(-3).flatten(-4, -3)
        mean = torch.as_tensor(getattr(self.means, kind)[layer], device=values.device, dtype=values.dtype)
        found = mean[self.roles]
        return found if self.read is None or values.shape[-2] == found.shape[-2] else self.read.of(found)


def _setting(wanted: Sequence[Sequence[int]], kind: str, layer: int, others: _Others, head_size: int) -> Any:
    """A hook on a block's last linear map, whose rows are the prompts once for each set of `wanted` units."""
    size = head_size if kind == "heads" else 1

    def hook(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = args[0].unflatten(0, (len(wanted), -1))  # (sets, prompts, tokens, width)
        chosen = torch.zeros(len(wanted), values.shape[-1] // size, dtype=torch.bool)
        for row, units in zip(chosen, wanted, strict=True):
            row[list(units)] = True
        chosen = chosen.repeat_interleave(size, 1)[:, None, None].to(values.device)
        changed = torch.where(chosen, others.of(kind, layer, values), values)
        return (changed.flatten(0, 1), *args[1:])

    return hook
