"""What the judge's gradient says of exchanging words, before any of it is scored (as in HotFlip, Ebrahimi et al.
2018, arXiv 1712.06751, but over whole phrases of closed lists).

For a text and its variants, each with another phrase somewhere:

1. One forward and backward pass gives the gradient of the score at the text's word embeddings, (tokens, d_model).
2. A variant's tokens are laid beside the text's: what both begin and end with is the same, the rest was exchanged.
3. First-order change of the score = sum over the exchanged places of gradient . (new embedding - old embedding).
   Where one side has fewer tokens, "no word" stands for the missing ones, at the last exchanged place.

It is an estimate: what an exchange really does is scored afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analyzer.attack.picked import Estimator
from analyzer.attack.scorer import read_by
from analyzer.attribution.integrated_gradients import embed, neutral_embedding
from analyzer.model.batches import Encoded, collate
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


class Exchanged(NamedTuple):
    """Where two token sequences differ."""

    start: int
    old: tuple[int, ...]
    new: tuple[int, ...]


def estimator(judge: Judge, batch_tokens: int) -> Estimator:
    """What the judge's gradient estimates."""
    neutral = neutral_embedding(judge)[0]

    def changes(texts: Sequence[str], variants: Sequence[Sequence[str]]) -> list[np.ndarray]:
        prompts = judge.encode(read_by(judge, texts))
        slopes = gradients(judge, prompts, batch_tokens)
        return [
            _changes(judge, prompt, slope, own, neutral)
            for prompt, slope, own in zip(prompts, slopes, variants, strict=True)
        ]

    return changes


def gradients(judge: Judge, prompts: Sequence[Encoded], batch_tokens: int) -> list[Tensor]:
    """Of each prompt the (tokens, d_model) gradient of its score at its word embeddings, float32."""
    found: dict[int, Tensor] = {}
    for rows in judge.batches(prompts, batch_tokens):
        batch = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device)
        with torch.no_grad():
            point = judge.anatomy.embeddings(batch.ids)
        point = point.detach().requires_grad_()
        with torch.enable_grad(), embeddings_replaced(judge, point):
            (slope,) = torch.autograd.grad(score(judge, batch).sum(), point)
        real = batch.mask.bool()
        found |= {row: slope[place][real[place]].float() for place, row in enumerate(rows)}
    return [found[row] for row in range(len(prompts))]


def _changes(judge: Judge, prompt: Encoded, slope: Tensor, variants: Sequence[str], neutral: Tensor) -> np.ndarray:
    """(variants,) first-order changes of one prompt's score."""
    if not variants:
        return np.zeros(0)
    parts = [between(prompt.ids, each.ids) for each in judge.encode(read_by(judge, variants))]
    used = sorted({token for part in parts for token in (*part.old, *part.new)})
    table = dict(zip(used, embed(judge, used).float(), strict=True)) if used else {}
    return np.array([_change(part, slope, table, neutral.float()) for part in parts])


def _change(part: Exchanged, slope: Tensor, table: dict[int, Tensor], neutral: Tensor) -> float:
    total = 0.0
    for place in range(max(len(part.old), len(part.new))):
        old, new = (table[side[place]] if place < len(side) else neutral for side in (part.old, part.new))
        at = min(part.start + min(place, max(len(part.old) - 1, 0)), len(slope) - 1)
        total += float(slope[at] @ (new - old))
    return total


def between(old: Sequence[int], new: Sequence[int]) -> Exchanged:
    """What stands between the common beginning and the common end of two token sequences."""
    shorter = min(len(old), len(new))
    start = next((place for place in range(shorter) if old[place] != new[place]), shorter)
    left = shorter - start
    end = next((back for back in range(left) if old[-1 - back] != new[-1 - back]), left)
    return Exchanged(start, tuple(old[start : len(old) - end]), tuple(new[start : len(new) - end]))
