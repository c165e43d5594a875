"""The probabilities of the tokens that come next, over the whole vocabulary: in batches, on any padding side."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from analyzer.model.batches import Batch, Encoded, Side, collate
from analyzer.model.scoring import inputs_of
from shared.errors import CannotCompute

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

WIDEST = 2**27
"""Logits that one call may give, 512 MiB of them in float32: a vocabulary of 256,000 fills memory long before the
prompts' own tokens do."""


class NextTokens(NamedTuple):
    """What one batch's model said after each of some tokens."""

    rows: list[int]
    """Indices of the prompts."""
    logprobs: Tensor
    """(prompts, places, vocabulary), nats, float32."""


def next_tokens(
    judge: Judge, prompts: Sequence[Encoded], places: int, batch_tokens: int, side: Side = "right"
) -> Iterator[NextTokens]:
    """Log-probabilities of what follows each of the last `places` tokens of each prompt, batch by batch.

    Every prompt must have at least `places` tokens. Raises CannotCompute for a judge that has no vocabulary.
    """
    unembedding = judge.model.get_output_embeddings()
    if judge.record.kind != "prompted" or unembedding is None:
        raise CannotCompute("Only a judge that answers in words has probabilities of words.")
    vocabulary = int(unembedding.weight.shape[0])  # type: ignore[union-attr, arg-type]
    for packed_rows in judge.batches(prompts, batch_tokens):
        spread = _spread([len(prompts[row].ids) for row in packed_rows], places, side)
        most = max(1, WIDEST // (vocabulary * spread))
        for start in range(0, len(packed_rows), most):
            rows = packed_rows[start : start + most]
            batch = collate([prompts[row] for row in rows], judge.anatomy.pad_id, judge.device, side)
            yield NextTokens(rows, _logprobs(judge, batch, places))


def _spread(lengths: Sequence[int], places: int, side: Side) -> int:
    """Columns that hold the last `places` tokens of every row."""
    return places if side == "left" else max(lengths) - min(lengths) + places


@torch.inference_mode()
def _logprobs(judge: Judge, batch: Batch, places: int) -> Tensor:
    """(prompts, places, vocabulary) of one batch."""
    order = torch.arange(batch.mask.shape[1], device=batch.mask.device)
    last = (order * batch.mask).argmax(1)  # (prompts,)
    wanted = last[:, None] + torch.arange(1 - places, 1, device=last.device)  # (prompts, places)
    inputs = inputs_of(batch)
    first = 0
    if "logits_to_keep" in inspect.signature(judge.model.forward).parameters:
        first = int(wanted.min())
        inputs["logits_to_keep"] = torch.arange(first, int(wanted.max()) + 1, device=last.device)
    logits = judge.model(**inputs).logits
    rows = torch.arange(len(last), device=last.device)[:, None]
    return torch.log_softmax(logits[rows, wanted - first].float(), dim=-1)
