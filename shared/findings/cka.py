"""Linear CKA: how alike two layers, or two checkpoints, see the same prompts.

Kornblith et al. 2019 (arXiv 1905.00414), with the unbiased HSIC estimator of Song et al. 2012 (JMLR 13) as Nguyen,
Raghu, Kornblith 2021 (arXiv 2010.15327) use it: the plain estimator is biased upward with few prompts. It is
computed from Gram matrices over the prompts, which are small and can be kept, so that a checkpoint that is gone can
still be compared. U-centring (Székely, Rizzo 2014) makes the estimator one inner product:

    HSIC(K, L) = sum of U(K) * U(L) / (n (n - 3)),    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 4
"""Prompts that the unbiased estimator needs."""
CONSTANT = 1e-10
"""A representation whose variance is below this share of its mean square is the same for every prompt."""


def gram(vectors: np.ndarray) -> np.ndarray:
    """(points, n, d_model) -> (points, n, n) float32: inner products of the centred vectors of each point.

    Scaled to a mean diagonal of 1, which CKA does not see. All zeros where every prompt has the same vector (CLS at
    the embeddings).
    """
    found = np.zeros((len(vectors), vectors.shape[1], vectors.shape[1]), dtype=np.float32)
    for point, rows in enumerate(vectors):
        rows = rows.astype(np.float64)
        centred = rows - rows.mean(0)
        scale = float((centred**2).sum())
        if scale > CONSTANT * float((rows**2).sum()):
            found[point] = centred @ centred.T * (len(rows) / scale)
    return found


def u_centred(matrix: np.ndarray) -> np.ndarray:
    """(n, n) symmetric -> (n, n): rows and columns sum to 0 without the diagonal, which is 0."""
    n = len(matrix)
    hollow = matrix.astype(np.float64)
    np.fill_diagonal(hollow, 0.0)
    sums = hollow.sum(0) / (n - 2)
    centred = hollow - sums[:, None] - sums[None, :] + hollow.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def hsic(one: np.ndarray, other: np.ndarray) -> float:
    """Unbiased HSIC of two (n, n) Gram matrices, n >= 4; it may be slightly negative where they are unrelated."""
    n = len(one)
    return float((u_centred(one) * u_centred(other)).sum() / (n * (n - 3)))


def cka(one: np.ndarray, other: np.ndarray) -> float:
    """CKA of two (n, n) Gram matrices, n >= 4: 1 for the same geometry, about 0 for unrelated ones.

    Exactly 1 for equal matrices, as frozen layers give them. 0 where only one of them is constant.
    """
    if np.array_equal(one, other):
        return 1.0
    scale = hsic(one, one) * hsic(other, other)
    return min(1.0, hsic(one, other) / scale**0.5) if scale > 0 else 0.0


def cka_by_point(one: np.ndarray, other: np.ndarray) -> list[float] | None:
    """(points, n, n) twice -> CKA of each point over the prompts known in both; None where shapes differ or n < 4.

    A prompt whose row is NaN is not known. The vectors need not be centred over these prompts: U-centring does.
    """
    if one.shape != other.shape:
        return None
    both = known_prompts(one) & known_prompts(other)
    if both.sum() < LEAST:
        return None
    chosen = np.ix_(np.arange(len(one)), both, both)
    return [cka(here, there) for here, there in zip(one[chosen], other[chosen], strict=True)]


def known_prompts(grams: np.ndarray) -> np.ndarray:
    """(points, n, n) -> (n,) bool."""
    return np.asarray(np.isfinite(np.diagonal(grams, axis1=1, axis2=2)).all(0))


def cka_table(grams: Sequence[np.ndarray]) -> np.ndarray | None:
    """(n, n) matrices of one layer at k checkpoints, over the same prompts -> (k, k) CKA of each pair.

    Over the prompts known at all of them; None where their shapes differ, or fewer than `LEAST` prompts are left.
    """
    if not grams or len({found.shape for found in grams}) != 1:
        return None
    known = np.isfinite([np.diagonal(found) for found in grams]).all(0)
    if known.sum() < LEAST:
        return None
    rows = np.stack([u_centred(found[np.ix_(known, known)]).ravel() for found in grams])
    products = rows @ rows.T
    scale = np.sqrt(np.maximum(np.diagonal(products), 0))
    scales = np.outer(scale, scale)
    table = np.divide(products, scales, out=np.zeros_like(products), where=scales > 0)
    np.fill_diagonal(table, 1.0)
    return np.minimum(table, 1.0)
