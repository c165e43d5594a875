"""A judge's score: of a batch of prompts, and read early from the residual stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from analyzer.model.batches import Batch
from analyzer.model.trunk import trunk_of
from shared.errors import CannotCompute, JudgeError

if TYPE_CHECKING:
    from analyzer.model.anatomy import Anatomy
    from analyzer.model.judge import Judge


def score(judge: Judge, batch: Batch) -> Tensor:
    """(prompts,) score in float32 nats, as `score_of` reads it; differentiable where gradients are on."""
    inputs = inputs_of(batch)
    if judge.anatomy.prompted and judge.anatomy.head is not None:  # a few logits of one token, no vocabulary each
        hidden = trunk_of(judge.model)(**inputs).last_hidden_state
        return score_of(judge, judge.anatomy.head(_last_real(hidden, batch.mask)))
    return score_of(judge, answers_in(judge, judge.model(**inputs).logits, batch))


def inputs_of(batch: Batch) -> dict[str, Any]:
    """What a model is called with."""
    inputs: dict[str, Any] = {"input_ids": batch.ids, "attention_mask": batch.mask}
    if batch.position_ids is not None:
        inputs["position_ids"] = batch.position_ids
    if batch.type_ids is not None:
        inputs["token_type_ids"] = batch.type_ids
    return inputs


def answers_in(judge: Judge, logits: Tensor, batch: Batch) -> Tensor:
    """The model's logits -> (n, logits): a classifier's as they are, of a prompted judge those of its answers."""
    if judge.answers is None:
        return logits
    return _last_real(logits, batch.mask)[:, list(judge.answers)]


def place_read(anatomy: Anatomy, batch: Batch) -> Tensor | None:
    """(prompts,) the token that the verdict is read from; None where it is a mean, or not known."""
    if anatomy.prompted:
        return _last_place(batch.mask)
    if anatomy.pooling == "cls":
        return torch.zeros(len(batch.ids), dtype=torch.long, device=batch.ids.device)
    if anatomy.pooling == "last_token":  # as transformers does: the rightmost id that is not the padding id
        return _last_place(batch.ids != anatomy.pad_id)
    return None


def _last_place(chosen: Tensor) -> Tensor:
    """(prompts, tokens) 0 or 1 -> (prompts,) the last place of a 1."""
    return (torch.arange(chosen.shape[1], device=chosen.device) * chosen).argmax(1)


def _at(values: Tensor, places: Tensor) -> Tensor:
    """(prompts, tokens, width) -> (prompts, width) at one place each."""
    return values[torch.arange(len(values), device=values.device), places]


def _last_real(values: Tensor, mask: Tensor) -> Tensor:
    """(prompts, tokens, width) -> (prompts, width) at the last token that is no padding."""
    return _at(values, _last_place(mask))


def score_of(judge: Judge, logits: Tensor) -> Tensor:
    """(n, logits) -> (n,) score in float32 nats: logsumexp of the unsafe side - that of the safe side - threshold.

    Under a softmax it is the log-odds of the unsafe classes together. 0 stands for a side without any: of labels
    with an output each it is the logarithm of the sum of the unsafe ones' odds, of a single output that output.
    """
    safe, unsafe = judge.columns
    logits = logits.float()
    score = _together(logits, unsafe)
    if safe:
        score = score - _together(logits, safe) if unsafe else -_together(logits, safe)
    return score - judge.record.threshold if judge.record.threshold else score


def _together(logits: Tensor, columns: tuple[int, ...]) -> Tensor:
    """(n, logits) -> (n,) logsumexp of some columns; of one column its very value, of none 0."""
    if len(columns) == 1:
        return logits[:, columns[0]]
    return logits[:, list(columns)].logsumexp(1) if columns else logits.new_zeros(len(logits))


def finite_scores(scores: np.ndarray, of: str) -> np.ndarray:
    """Scores of any shape, as they are. Raises CannotCompute where one is NaN or infinite.

    For what is no prompt of the probe set (that is refused by the forward pass): `of` says what, in the plural.
    """
    lost = int((~np.isfinite(scores)).sum())
    if lost:
        raise CannotCompute(
            f"The judge's score is not finite (NaN or infinity) on {lost:,} of {scores.size:,} {of}, so nothing "
            "can be said here; look at an earlier checkpoint."
        )
    return scores


def pool(anatomy: Anatomy, hidden: Tensor, batch: Batch) -> Tensor:
    """(prompts, tokens, d_model) -> (prompts, d_model) float32: the token, or the mean, that the head reads."""
    place = place_read(anatomy, batch)
    return _masked_mean(hidden.float(), batch.mask) if place is None else _at(hidden, place).float()


def read_early(judge: Judge, hidden: Tensor, batch: Batch) -> Tensor:
    """(prompts,) score of the residual stream through the judge's own final norm, pooling and head."""
    anatomy = judge.anatomy
    if anatomy.head is None:
        raise JudgeError("This judge's head is not known, so it cannot be read early.")
    if anatomy.final_norm is not None and anatomy.pooling == "mean":
        # the mean of normed tokens is not the norm of their mean
        if anatomy.pools_logits:
            return score_of(judge, pool(anatomy, anatomy.head(anatomy.final_norm(hidden)), batch))
        state = pool(anatomy, anatomy.final_norm(hidden), batch)
        return score_of(judge, anatomy.head(state.to(hidden.dtype)))
    return read_pooled(judge, pool(anatomy, hidden, batch).to(hidden.dtype))


def read_pooled(judge: Judge, state: Tensor) -> Tensor:
    """`read_early` of what is pooled already, (prompts, d_model); not for a norm that comes before a mean."""
    anatomy = judge.anatomy
    if anatomy.head is None:
        raise JudgeError("This judge's head is not known, so it cannot be read early.")
    if anatomy.final_norm is not None:
        state = anatomy.final_norm(state)
    return score_of(judge, anatomy.head(state))


def token_norms(hidden: Tensor, mask: Tensor) -> Tensor:
    """(prompts, tokens, d_model) -> (prompts,) mean over real tokens of the L2 norm, float32."""
    norms = torch.linalg.vector_norm(hidden, dim=-1, dtype=torch.float32)
    return norms.masked_fill(mask == 0, 0.0).sum(1) / mask.sum(1)


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    return torch.einsum("ptd,pt->pd", hidden, mask.float()) / mask.sum(1, keepdim=True)
