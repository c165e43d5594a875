"""The log-probability of whole answers: of every token of a continuation, given the prompt before it.

log p(c | prompt) = sum over its tokens of log p(token | prompt, tokens before it). Continuations that differ in
their last token only come from one pass: the distribution after what they share holds them all. So the fourteen
codes of a taxonomy cost about as much as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyzer.jobs.messages import BATCH_TOKENS
from analyzer.model.batches import Encoded, Side
from analyzer.model.next_tokens import next_tokens
from shared.errors import JudgeError

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

Tokens = tuple[int, ...]


def continuation_logprobs(
    judge: Judge,
    encoded: Sequence[Encoded],
    continuations: Sequence[Sequence[int]],
    batch_tokens: int = BATCH_TOKENS,
    *,
    side: Side = "right",
) -> np.ndarray:
    """(prompts, continuations) log p(continuation | prompt) in nats, float64.

    `encoded` are prompts in the judge's template, `continuations` token ids, each at least one token; one that is
    given twice is answered twice. `side` is where batches are padded. Raises JudgeError for an empty continuation,
    CannotCompute for a judge without a vocabulary.
    """
    wanted = [tuple(each) for each in continuations]
    if not all(wanted):
        raise JudgeError("A continuation without tokens has no probability; give each at least one token.")
    found = np.zeros((len(encoded), len(wanted)))
    for stem, columns in _by_stem(wanted).items():
        rows = [_followed(prompt, stem) for prompt in encoded]
        tokens = torch.tensor([wanted[column][-1] for column in columns], device=judge.device)
        for batch in next_tokens(judge, rows, len(stem) + 1, batch_tokens, side):
            stems = torch.tensor(stem, dtype=torch.long, device=judge.device)
            said = batch.logprobs[:, : len(stem)].gather(2, stems.expand(len(batch.rows), -1)[..., None])[..., 0]
            before = torch.cat([said.new_zeros(len(said), 1), said.cumsum(1)], 1)  # log p of each beginning
            for column, token in zip(columns, tokens, strict=True):
                depth = len(wanted[column]) - 1
                found[batch.rows, column] = (before[:, depth] + batch.logprobs[:, depth, token]).double().cpu()
    return found


def _by_stem(wanted: Sequence[Tokens]) -> dict[Tokens, list[int]]:
    """What must be run behind each prompt -> the continuations that it gives, by index.

    A continuation needs all its tokens but the last; where another needs these and more, both come from that one.
    """
    stems = sorted({each[:-1] for each in wanted}, key=len, reverse=True)
    kept: list[Tokens] = []
    for stem in stems:
        if not any(longer[: len(stem)] == stem for longer in kept):
            kept.append(stem)
    found: dict[Tokens, list[int]] = {stem: [] for stem in kept}
    for index, each in enumerate(wanted):
        own = each[:-1]
        found[next(stem for stem in kept if stem[: len(own)] == own)].append(index)
    return found


def _followed(prompt: Encoded, tokens: Tokens) -> Encoded:
    """A prompt with `tokens` behind it, which are none of its own."""
    more = len(tokens)
    return replace(
        prompt,
        ids=prompt.ids + tokens,
        special=prompt.special + (True,) * more,
        offsets=prompt.offsets + ((0, 0),) * more,
    )
