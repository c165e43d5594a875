"""The probability of unsafe that a judge states, from its scores."""

from __future__ import annotations

import numpy as np


def stated_probability(scores: np.ndarray, shift: float | None) -> np.ndarray:
    """Probability of unsafe, (prompts,), 0 to 1, of `scores` (prompts,) in nats.

    `shift` makes a score the log-odds that the judge states: it takes back a threshold of the user's. None for a
    judge that states none (a reward, a number, several unsafe labels with a sigmoid each): all are NaN then, as is
    that of a prompt without a score.
    """
    found = np.full(len(scores), np.nan)
    known = np.isfinite(scores)
    if shift is not None:
        found[known] = np.exp(-np.logaddexp(0.0, -(scores[known] + shift)))  # no overflow at either end
    return found
