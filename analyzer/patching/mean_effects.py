"""Attribution patching of every unit against its mean: what mean ablation does, to first order.

Contribution of a unit on a prompt = sum over tokens of (a - its mean by token role) . ds/da, the gradient at the
prompt (Nanda 2023), class-signed. So that units can be chosen on some prompts and measured on others, heads are
kept by prompt, and neurons, which are many, as sums over parts of the prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from analyzer.model.batches import Batch, collate
from analyzer.model.differentiated import tokens_at_once
from analyzer.model.judge import known_wiring
from analyzer.model.unit_recording import PADDING, token_roles
from analyzer.model.verdict_token import score_alone
from analyzer.patching.references import by_role
from analyzer.patching.source_values import entry_stream
from analyzer.patching.tape import taped
from shared.errors import CannotCompute

if TYPE_CHECKING:
    from analyzer.model.judge import Judge
    from analyzer.model.unit_recording import UnitMeans
    from analyzer.session.context import Context


@dataclass(frozen=True)
class MeanEffects:
    """Class-signed contributions, nats."""

    heads: np.ndarray
    """(n, layers, heads) of each prompt."""
    neurons: np.ndarray
    """(parts, layers, neurons) summed over the prompts of each part."""


def mean_effects(
    context: Context, indices: Sequence[int], signs: np.ndarray, part: np.ndarray, parts: int
) -> MeanEffects:
    """One forward and backward pass over the probes at `indices`.

    `signs` (n,) weighs each prompt, unsafe ones positive; `part` (n,) numbers the part it counts in. Raises
    CannotCompute where units are not known, or where a gradient is not finite.
    """
    judge, wiring = context.judge, known_wiring(context.judge)
    means = context.with_units().unit_means
    assert means is not None  # noqa: S101 (with_units has them)
    depth = len(wiring.layers)
    found = MeanEffects(
        heads=np.zeros((len(indices), depth, wiring.heads)), neurons=np.zeros((parts, depth, wiring.neurons))
    )
    prompts = [context.encoded[index] for index in indices]
    at_once = tokens_at_once(judge, context.batch_tokens)
    done = 0
    for rows in judge.batches(prompts, at_once):
        batch = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device)
        _add(judge, batch, means, rows, signs[rows], part[rows], found)
        done += len(rows)
        context.progress(done, len(indices))
    if not (np.isfinite(found.heads).all() and np.isfinite(found.neurons).all()):
        raise CannotCompute("The gradients are not finite (NaN or infinity); look at an earlier checkpoint.")
    return found


def _add(
    judge: Judge,
    batch: Batch,
    means: UnitMeans,
    rows: Sequence[int],
    signs: np.ndarray,
    part: np.ndarray,
    found: MeanEffects,
) -> None:
    """One batch, reduced on the device layer by layer."""
    entry = entry_stream(judge, batch).clone().requires_grad_()
    with torch.enable_grad(), taped(judge, entry, edges=False) as tape:
        scores = score_alone(judge, batch, all_neurons=True)
        points = [*tape.heads, *tape.neurons]
        gradients = torch.autograd.grad(scores.sum(), points, materialize_grads=True)
    roles, depth = token_roles(batch.mask), len(tape.heads)
    weight = torch.as_tensor(signs, device=entry.device, dtype=torch.float32)[:, None]
    where = torch.as_tensor(part, device=entry.device)
    for layer in range(depth):
        heads = _contributions(tape.heads[layer], means.heads[layer], gradients[layer], roles) * weight
        by_head = heads.unflatten(-1, (found.heads.shape[2], -1)).sum(-1)
        found.heads[rows, layer] = by_head.double().cpu().numpy()
        each = _contributions(tape.neurons[layer], means.neurons[layer], gradients[depth + layer], roles) * weight
        sums = each.new_zeros(len(found.neurons), each.shape[1]).index_add_(0, where, each)
        found.neurons[:, layer] += sums.double().cpu().numpy()


def _contributions(values: Tensor, mean: np.ndarray, gradient: Tensor, roles: Tensor) -> Tensor:
    """(prompts, tokens, width) and `mean` (3, width) -> (prompts, width): summed over real tokens, float32."""
    away = values.detach().float() - by_role(mean, roles, torch.float32)
    return (away * gradient.float()).masked_fill((roles == PADDING)[..., None], 0.0).sum(1)
