"""The judge as a scorer of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzer.attribution.replacement import scores_of
from analyzer.model.judge import Judge
from shared.prompts.conversation import as_judged
from shared.records import Prompt


def read_by(judge: Judge, texts: Sequence[str]) -> list[str]:
    """What the judge reads of each text; one of conversations reads it with an empty response."""
    prompts = [Prompt(text=text, label="safe") for text in texts]
    return [prompt.text for prompt in as_judged(prompts, judge.template)]


def scorer(judge: Judge, batch_tokens: int):
    """Texts -> (texts,) scores in nats, positive for unsafe, in batches of similar length.

    Raises CannotCompute where a score is not finite.
    """

    def scores(texts: Sequence[str]) -> np.ndarray:
        return scores_of(judge, read_by(judge, texts), batch_tokens).astype(np.float32)

    return scores
