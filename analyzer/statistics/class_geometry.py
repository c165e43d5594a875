"""How two classes of vectors lie to each other, for many bootstrap draws or labellings at once."""

from __future__ import annotations

import numpy as np


def dprime(vectors: np.ndarray, unsafe: np.ndarray, safe: np.ndarray) -> np.ndarray:
    """(draws,) d' = |mean of unsafe - mean of safe| / sqrt(trace of the pooled covariance).

    vectors (n, d); unsafe and safe (draws, n) say how often each prompt counts for its class. NaN where a class is
    empty; 0 where the means agree; NaN where they differ without any spread (d' is unbounded there).
    """
    vectors = vectors.astype(np.float64)
    vectors = vectors - vectors.mean(0)  # changes nothing but rounding
    squares = (vectors**2).sum(1)
    count_up, count_down = unsafe.sum(1), safe.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        up, down = unsafe @ vectors / count_up[:, None], safe @ vectors / count_down[:, None]
        within = (unsafe + safe) @ squares - count_up * (up**2).sum(1) - count_down * (down**2).sum(1)
        trace = within / np.maximum(count_up + count_down - 2, 1)
        distance = np.sqrt(((up - down) ** 2).sum(1))
        rounding = 1e-12 * max(float(squares.max(initial=0.0)), 1e-300)
        found = distance / np.sqrt(np.where(trace > rounding, trace, np.nan))
    return np.where(distance**2 <= rounding, 0.0, found)


def recentred(value: float, draws: np.ndarray) -> np.ndarray:
    """Bootstrap draws of a norm without the inflation that resampling adds to it.

    A resampled difference of means is longer than the measured one by its own variance, so plain draws of d' lie
    above d'. Their squares are shifted back to mean value**2.
    """
    squares = draws[np.isfinite(draws)] ** 2
    return np.sqrt(np.maximum(squares - squares.mean() + value**2, 0.0)) if len(squares) else squares


def cosine(one: np.ndarray, other: np.ndarray) -> float | None:
    """Cosine of two vectors; None where one is zero."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(one @ other / size, -1, 1)) if size > 0 else None


def pair_cosine(differences: np.ndarray) -> float | None:
    """Mean cosine of each pair's difference (pairs, d) with the mean difference of the other pairs.

    Leaving the pair itself out makes unrelated differences average 0. None below two pairs, or when all are zero.
    """
    differences = differences.astype(np.float64)
    total = differences.sum(0)
    found = [cosine(one, total - one) for one in differences]
    defined = [value for value in found if value is not None]
    return float(np.mean(defined)) if defined else None
