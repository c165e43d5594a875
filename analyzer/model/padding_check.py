"""Whether a judge's scores depend on what is padded beside a prompt, seen on two prompts of different length.

Attention masks padding out, but not every model has attention alone: a convolution (ConvBERT), a Fourier transform
(FNet), landmarks (Nystromformer) or a neighbour's embedding (MobileBERT) sees the columns beside the prompt, and
some models forget the mask. Such a judge is run on prompts of one length at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from analyzer.model.hooked_pass import record
from analyzer.model.rounding import rounding_of
from shared.errors import JudgeError

if TYPE_CHECKING:
    from analyzer.model.batches import Encoded
    from analyzer.model.hooked_pass import ForwardPass
    from analyzer.model.judge import Judge

APART = (
    "What is padded beside a prompt changes what this {family} makes of it (score {together:.4f} beside a longer "
    "prompt, {alone:.4f} alone), so only prompts of one length run together, which is slower."
)


def differs_with_padding(judge: Judge, prompts: list[Encoded], together: ForwardPass) -> str:
    """What to say where padding changes what is read; empty where it does not.

    `together` is a pass over the prompts in one batch, beside which the shortest is read alone. Scores are
    compared, and the pooled residual stream at every point: what hardly reaches the score of one prompt may well
    reach that of another. Raises JudgeError for a judge that reads one prompt differently each time.
    """
    shortest = min(range(len(prompts)), key=lambda index: len(prompts[index].ids))
    padded, alone = _of(together, shortest), _alone(judge, prompts[shortest])
    if _same(judge, alone, padded):
        return ""
    again = _alone(judge, prompts[shortest])
    if not _same(judge, alone, again):
        raise JudgeError(
            f"This {judge.anatomy.family} reads the same prompt differently each time ({alone.score:.6f}, then "
            f"{again.score:.6f}), so nothing can be said of it; switch off in its config what is drawn at random."
        )
    return APART.format(family=judge.anatomy.family, together=padded.score, alone=alone.score)


class _Reading(NamedTuple):
    """Of one prompt."""

    score: float
    pooled: np.ndarray
    """(points, d_model)"""


def _of(found: ForwardPass, index: int) -> _Reading:
    return _Reading(float(found.scores[index]), found.pooled[:, index])


def _alone(judge: Judge, prompt: Encoded) -> _Reading:
    return _of(record(judge, [prompt], 10**6), 0)


def _same(judge: Judge, one: _Reading, other: _Reading) -> bool:
    pairs = ((one.score, other.score), (one.pooled, other.pooled))
    return all(
        bool(np.abs(left - right).max() <= rounding_of(judge.dtype) * (1 + np.abs(left).max()))
        for left, right in ((np.asarray(a, float), np.asarray(b, float)) for a, b in pairs)
    )
