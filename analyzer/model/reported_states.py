"""The hidden states that a model of an unknown family reports itself, which stand for its residual stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from analyzer.model.batches import Batch
from shared.errors import JudgeError

if TYPE_CHECKING:
    from analyzer.model.judge import Judge


def reported_states(judge: Judge, output: Any, ids: Tensor) -> list[Tensor]:
    """(prompts, tokens, width) of each point; those of the encoder where there is a decoder, too.

    `ids` (prompts, tokens) are what the model was called with. Streams side by side (Gemma 3n) are averaged.

    Raises JudgeError where the model reports none, or where its points cannot be compared with each other.
    """
    states = getattr(output, "hidden_states", None) or getattr(output, "encoder_hidden_states", None) or ()
    found = [one for state in states if isinstance(state, Tensor) and (one := _stream(state, ids)) is not None]
    if not found:
        raise JudgeError(
            f"The model family {judge.anatomy.family!r} reports no hidden states, so there is nothing to look at; "
            "describe the family in a file and give it with --family (docs/families.md)."
        )
    if len({state.shape[-1] for state in found}) > 1:
        raise JudgeError(
            f"The layers of the model family {judge.anatomy.family!r} have different widths, so they cannot be "
            "compared; describe the family in a file and give it with --family (docs/families.md)."
        )
    return found


def _stream(state: Tensor, ids: Tensor) -> Tensor | None:
    if state.ndim == 4 and state.shape[:2] == ids.shape:
        return state.mean(2)
    if state.ndim == 4 and state.shape[1:3] == ids.shape:
        return state.mean(0)
    return state if state.ndim == 3 else None


def over_its_tokens(batch: Batch, hidden: Tensor) -> Batch:
    """The batch as a state sees it that has another number of tokens (Funnel pools them as it goes up).

    Such a state has no padding: the self-check lets only prompts of one length run together (`padding_check`).
    """
    if hidden.shape[1] == batch.mask.shape[1]:
        return batch
    mask = torch.ones(hidden.shape[:2], dtype=batch.mask.dtype, device=batch.mask.device)
    return batch._replace(mask=mask)
