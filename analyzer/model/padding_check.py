"""Whether a judge's scores depend on what is padded beside a prompt, seen on two prompts of different length.

Attention masks padding out, but not every model has attention alone: a convolution (ConvBERT), a Fourier transform
(FNet), landmarks (Nystromformer) or a neighbour's embedding (MobileBERT) sees the columns beside the prompt, and
some models forget the mask. Such a judge is run on prompts of one length at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from analyzer.model.batches import Encoded, collate
from analyzer.model.rounding import rounding_of
from analyzer.model.scoring import score
from shared.errors import JudgeError

if TYPE_CHECKING:
    from analyzer.model.judge import Judge

APART = (
    "Padding changes the scores of this {family} ({together:.4f} beside a longer prompt, {alone:.4f} alone), so "
    "only prompts of one length run together, which is slower."
)


def differs_with_padding(judge: Judge, prompts: list[Encoded], plain: Tensor) -> str:
    """What to say where padding changes scores; empty where it does not.

    `plain` (prompts,) are the scores of the prompts in one batch. Raises JudgeError for a judge that gives one
    prompt another score each time.
    """
    shortest = min(range(len(prompts)), key=lambda index: len(prompts[index].ids))
    alone, together = _alone(judge, prompts[shortest]), float(plain[shortest])
    if _same(judge, alone, together):
        return ""
    again = _alone(judge, prompts[shortest])
    if not _same(judge, alone, again):
        raise JudgeError(
            f"This {judge.anatomy.family} gives the same prompt another score each time ({alone:.4f}, then "
            f"{again:.4f}), so nothing can be said of it; switch off in its config what is drawn at random."
        )
    return APART.format(family=judge.anatomy.family, together=together, alone=alone)


def _alone(judge: Judge, prompt: Encoded) -> float:
    return float(score(judge, collate([prompt], judge.anatomy.pad_id, judge.device))[0])


def _same(judge: Judge, one: float, other: float) -> bool:
    return bool(np.abs(one - other) <= rounding_of(judge.dtype) * (1 + np.abs(one)))
