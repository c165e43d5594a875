"""Whether the score can be differentiated by the word embeddings of a model whose family is not known.

Put back in their own place they must give the same score, and the score must depend on them. A model may look words
up in a way of its own (quantised tables, hashes of characters) or have steps that give no gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analyzer.model.batches import Batch
from analyzer.model.device import is_out_of_memory
from analyzer.model.partial_pass import embeddings_replaced
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import score
from shared.errors import reason_of

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

RAISED = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, IndexError, KeyError)
"""What models raise that cannot do it (NotImplementedError is a RuntimeError)."""


def no_gradients(judge: Judge, batch: Batch, plain: Tensor) -> str:
    """Why the score cannot be differentiated by the embeddings, as the end of a sentence; empty where it can.

    `plain` (prompts,) are the scores of the batch. One pass forward and backward.
    """
    try:
        with torch.inference_mode(False), torch.enable_grad():
            types = None if batch.type_ids is None else batch.type_ids.clone()
            return _tried(judge, Batch(batch.ids.clone(), batch.mask.clone(), None, types), plain)
    except RAISED as error:
        if is_out_of_memory(error):
            raise
        return f"it does not run on embeddings that are given to it ({reason_of(error).rstrip('.')})"


def _tried(judge: Judge, batch: Batch, plain: Tensor) -> str:
    if not isinstance(judge.anatomy.embeddings, torch.nn.Module):
        return "it has no table of word embeddings"
    words = judge.anatomy.embeddings(batch.ids)
    if not isinstance(words, Tensor) or words.shape[:-1] != batch.ids.shape:
        return "its embeddings are not one vector a token"
    words = words.detach().clone().requires_grad_()
    with embeddings_replaced(judge, words):
        found = score(judge, batch)
    if (found.detach() - plain.clone()).abs().max() > rounding_of(judge.dtype) * (1 + plain.abs().max()):
        return "with its own word embeddings put back in their place it gives another score"
    (gradient,) = torch.autograd.grad(found.sum(), words, allow_unused=True)
    if gradient is None or not bool(gradient.any()):
        return "its score does not depend on the embeddings that it looks up"
    return "" if bool(torch.isfinite(gradient).all()) else "its gradient is not finite"
