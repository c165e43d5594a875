"""On which tokens some chosen neurons are strongest, and in which text these stand."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analyzer.model.batches import collate, token_names
from analyzer.model.judge import known_wiring
from analyzer.model.partial_pass import module_input
from analyzer.model.scoring import score
from analyzer.statistics.ties import largest_first
from shared.findings.neurons import TokenInContext

if TYPE_CHECKING:
    from analyzer.model.batches import Encoded
    from analyzer.session.context import Context

AROUND = 40
"""Characters of text shown on each side."""


@torch.inference_mode()
def strongest_tokens(
    context: Context, chosen: Sequence[tuple[int, int]], count: int = 5
) -> list[list[TokenInContext]]:
    """For each (layer, neuron): its `count` strongest tokens over the probe set, each from another prompt."""
    judge, encoded = context.judge, context.encoded
    wiring = known_wiring(judge)
    peak = np.full((len(chosen), len(encoded)), -np.inf)
    place = np.zeros((len(chosen), len(encoded)), dtype=int)
    for rows in judge.batches(encoded, context.batch_tokens):
        batch = collate([encoded[row] for row in rows], judge.anatomy.pad_id, judge.device)
        readable = _readable([encoded[row] for row in rows], batch.mask)
        with ExitStack() as stack:
            for layer in {layer for layer, _ in chosen}:
                take = _taking(chosen, layer, readable, rows, peak, place)
                stack.enter_context(module_input(wiring.layers[layer].mlp.out, take))
            score(judge, batch)
    return [_listed(context, peak[number], place[number], count) for number in range(len(chosen))]


def _readable(prompts: Sequence[Encoded], mask: Tensor) -> Tensor:
    """(prompts, tokens) bool: tokens of the text itself, where a prompt has any."""
    found = mask.bool().clone()
    for row, prompt in enumerate(prompts):
        if prompt.content:
            found[row] = False
            found[row, prompt.content] = True
    return found


def _taking(
    chosen: Sequence[tuple[int, int]],
    layer: int,
    readable: Tensor,
    rows: Sequence[int],
    peak: np.ndarray,
    place: np.ndarray,
) -> Any:
    numbers = [number for number, (where, _) in enumerate(chosen) if where == layer]
    neurons = [chosen[number][1] for number in numbers]

    def take(values: Tensor) -> None:
        wanted = values[..., neurons].float().masked_fill(~readable[..., None], -torch.inf)  # (prompts, tokens, k)
        highest, where = wanted.max(1)
        peak[np.ix_(numbers, rows)] = highest.T.double().cpu().numpy()
        place[np.ix_(numbers, rows)] = where.T.cpu().numpy()

    return take


def _listed(context: Context, peak: np.ndarray, place: np.ndarray, count: int) -> list[TokenInContext]:
    order = [int(row) for row in largest_first(peak)[:count] if np.isfinite(peak[row])]
    return [_in_context(context, row, int(place[row]), float(peak[row])) for row in order]


def _in_context(context: Context, row: int, position: int, activation: float) -> TokenInContext:
    prompt, probe = context.encoded[row], context.probes[row]
    start, end = prompt.offsets[position]
    text = prompt.text
    while start > 0 and text[start - 1].isalnum() and start < end and text[start].isalnum():
        start -= 1
    while 0 < end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    token = text[start:end].strip()
    if prompt.special[position] or not token:
        token = token_names(context.judge.tokenizer, [prompt.ids[position]])[0]
    return TokenInContext(
        probe_id=probe.id,
        label=probe.label,
        before=text[max(0, start - AROUND) : start],
        token=token,
        after=text[end : end + AROUND] if end > start else "",
        activation=activation,
    )
