"""Which of many differences are beyond the errors of what is compared."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from shared.findings.claims import CHANCE


def beyond(change: np.ndarray, errors: tuple[np.ndarray | None, np.ndarray | None]) -> np.ndarray:
    """Boolean, as `change`: two-sided normal test at p < CHANCE over all differences together (Bonferroni).

    `errors` are the standard errors of both, of the same shape; without either, none is.
    """
    first, second = errors
    if first is None or second is None or not first.shape == second.shape == change.shape:
        return np.zeros(change.shape, dtype=bool)
    error = np.hypot(first.astype(float), second.astype(float))
    bar = NormalDist().inv_cdf(1 - CHANCE / (2 * change.size))
    return np.isfinite(error) & (error > 0) & (np.abs(change) > bar * error)
