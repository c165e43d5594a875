"""How far the first token of an answer says what the whole answer says, over a set of prompts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from shared.errors import CannotCompute

SAME_ORDER = 0.95
"""Spearman's correlation below which the two readings order prompts differently."""
SAME_VERDICTS = 0.95
"""Share of equal verdicts below which they judge differently."""


class Agreement(NamedTuple):
    """First token against whole answer."""

    spearman: float | None
    """-1 to 1; None where one of the two does not vary."""
    same_verdicts: float
    """Share of prompts with the same sign of the score, 0 to 1."""
    prompts: int

    @property
    def warning(self) -> str | None:
        """A sentence where the two do not agree."""
        apart = self.spearman is not None and self.spearman < SAME_ORDER
        if not apart and self.same_verdicts >= SAME_VERDICTS:
            return None
        order = "" if self.spearman is None else f", and their order is the same to Spearman {self.spearman:.2f}"
        return (
            f"Read from the whole answer instead of its first token, {self.same_verdicts:.0%} of {self.prompts} "
            f"verdicts are the same{order}: the first token begins other answers too; check the answers with "
            "`midwatch init`."
        )


def agreement(first: np.ndarray, whole: np.ndarray) -> Agreement:
    """Of (prompts,) scores each, nats. Raises CannotCompute without prompts."""
    if not len(first):
        raise CannotCompute("There are no prompts on which two readings of a verdict could agree.")
    ranks = [rankdata(scores) for scores in (first, whole)]
    varies = all(each.std() > 0 for each in ranks)
    spearman = float(np.corrcoef(*ranks)[0, 1]) if varies else None
    return Agreement(spearman, float(((first > 0) == (whole > 0)).mean()), len(first))
