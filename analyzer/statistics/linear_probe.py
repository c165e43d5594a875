"""L2-regularised logistic regression probes, all labellings of one fold solved together.

With features X standardised on the training fold and y in {0, 1}, scikit-learn's `LogisticRegression(C)` minimises
C sum_i log(1 + exp(-(2 y_i - 1) f_i)) + |w|^2 / 2, f = X w + b, the intercept free. As w = X' a, it is solved in
the n dual variables: f = K a + b with K = X X', by Newton's method (a = C (y - p) at the optimum). K is shared by
all labellings, so the shuffled-label controls cost one batched Cholesky each step. float64 throughout.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

STEPS = 60
"""Newton steps at most; it takes about 7."""
TOLERANCE = 1e-6
"""Largest change of any decision value at which the solution counts as reached. A Newton step leaves an error of
the order of its change's square: the next one would change nothing above 1e-10."""


def held_out_decisions(features: np.ndarray, labels: np.ndarray, fold: np.ndarray, c: float = 1.0) -> np.ndarray:
    """(labellings, n) decision value of each prompt by the probe that was fitted on the other folds.

    features (n, d), labels (labellings, n) in {0, 1}, fold (n,). A training fold with one class only gives NaN.
    """
    decisions = np.full(labels.shape, np.nan)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        both = (labels[:, train].min(1) == 0) & (labels[:, train].max(1) == 1)
        if both.any():
            left, right = standardised(features[train], features[test])
            decisions[np.ix_(both, test)] = fit_decide(left, right, labels[np.ix_(both, train)], c)
    return decisions


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both scaled by the training fold's mean and standard deviation.

    A feature without spread beyond float32 rounding (the CLS token's embedding, say) becomes 0, not noise.
    """
    train, test = train.astype(np.float64), test.astype(np.float64)
    mean, spread = train.mean(0), train.std(0)
    constant = spread <= 1e-6 * np.abs(train).max(0)
    scale = np.where(constant, np.inf, spread)
    return (train - mean) / scale, (test - mean) / scale


def fit_decide(train: np.ndarray, test: np.ndarray, labels: np.ndarray, c: float) -> np.ndarray:
    """(labellings, tests) decision values of the probes fitted on `train` (n, d) with labels (labellings, n)."""
    left, right = torch.from_numpy(train), torch.from_numpy(test)
    weights, intercept = _solve(left @ left.T, torch.from_numpy(labels.astype(np.float64)), c)
    return (weights @ (left @ right.T) + intercept).numpy()


def _solve(kernel: Tensor, labels: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """Dual weights (labellings, n) and intercepts (labellings, 1) by damped Newton steps."""
    weights = torch.zeros_like(labels)
    intercept = torch.zeros(len(labels), 1, dtype=labels.dtype)
    decision = torch.zeros_like(labels)
    loss = _objective(labels, decision, weights, kernel, c)
    for _ in range(STEPS):
        target, free = _newton(kernel, labels, decision, c)
        wanted = target @ kernel + free
        step = torch.ones_like(intercept)
        for _ in range(30):
            tried = decision + step * (wanted - decision)
            tried_weights = weights + step * (target - weights)
            tried_loss = _objective(labels, tried, tried_weights, kernel, c)
            worse = tried_loss > loss + 1e-12 * (1 + loss.abs())
            if not worse.any():
                break
            step = torch.where(worse[:, None], step / 2, step)
        change = (tried - decision).abs().max()
        intercept = intercept + step * (free - intercept)
        weights, decision, loss = tried_weights, tried, tried_loss
        if change < TOLERANCE:
            break
    return weights, intercept


def _newton(kernel: Tensor, labels: Tensor, decision: Tensor, c: float) -> tuple[Tensor, Tensor]:
    """One full Newton step: the weighted ridge regression on the working response, in its dual form.

    (K + diag(1 / (c s))) a + b 1 = z, 1'a = 0, with s = p (1 - p) and z = f + (y - p) / s, solved through
    B = I + D K D, D = diag(sqrt(c s)), which stays well conditioned where s vanishes.
    """
    chance = torch.sigmoid(decision)
    root = (c * chance * (1 - chance)).clamp(min=1e-18).sqrt()  # D
    system = root[:, :, None] * kernel * root[:, None, :]
    system.diagonal(dim1=1, dim2=2).add_(1.0)
    response = root * decision + c * (labels - chance) / root  # D z
    both = torch.stack([response, root], dim=2)
    solved = root[:, :, None] * torch.cholesky_solve(both, torch.linalg.cholesky(system))
    free = solved[:, :, 0].sum(1, keepdim=True) / solved[:, :, 1].sum(1, keepdim=True)
    return solved[:, :, 0] - free * solved[:, :, 1], free


def _objective(labels: Tensor, decision: Tensor, weights: Tensor, kernel: Tensor, c: float) -> Tensor:
    """(labellings,) value of the minimised function."""
    loss = torch.nn.functional.softplus((1 - 2 * labels) * decision).sum(1)
    return c * loss + 0.5 * torch.einsum("ln,nm,lm->l", weights, kernel, weights)
