"""Whether the verdict is read as a user's description says: from the last layer, normed, pooled, by the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from analyzer.model.anatomy import head_of
from analyzer.model.device import is_out_of_memory
from analyzer.model.observed import described_family, refuse
from analyzer.model.partial_pass import starting_at
from analyzer.model.scoring import score

if TYPE_CHECKING:
    from analyzer.jobs.family import Family
    from analyzer.model.batches import Batch
    from analyzer.model.judge import Judge
    from analyzer.model.observed import Comparison, Observed


def check_verdict_read(judge: Judge, batch: Batch, same: Comparison, seen: Observed, plain: Tensor) -> None:
    """All that comes after the last layer; `plain` (prompts,) are the scores. Raises FamilyError."""
    family, anatomy = described_family(judge), judge.anatomy
    last = seen.out_of(anatomy.layers[-1], "layers")  # (prompts, tokens, d_model)
    if not anatomy.prompted:
        _check_head(judge, family, last)
    if not same.close(_score_from(judge, batch, last), plain):
        refuse(family, f"layers = {family.layers!r} are not all that stands between embeddings and head")


def _check_head(judge: Judge, family: Family, hidden: Tensor) -> None:
    """The head takes one pooled state a prompt and gives two logits."""
    head = head_of(judge.model, family)
    if head is None:
        return
    try:
        logits = head(hidden[:, 0])
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        refuse(family, f"head = {list(family.head)} cannot be run on a pooled state ({reason.rstrip('.')})")
    if not isinstance(logits, Tensor) or logits.shape != (len(hidden), 2):
        refuse(family, f"head = {list(family.head)} does not give two logits a prompt")


def _score_from(judge: Judge, batch: Batch, hidden: Tensor) -> Tensor:
    """(prompts,) the score when this is what the last layer gives."""
    with starting_at(judge, judge.anatomy.depth, hidden):
        return score(judge, batch)
