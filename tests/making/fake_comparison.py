"""A made-up result of `comparison`: the middle layers learn to tell the classes apart."""

from __future__ import annotations

import numpy as np

from shared.findings.claims import ToExplain
from shared.findings.comparison import ComparisonResult, PointComparison
from tests.making.fake_samples import around


def fake_comparison(learnt: float, layers: int, frozen: int, rng: np.random.Generator) -> ComparisonResult:
    depth = np.arange(layers + 1) / max(layers, 1)
    rise = 1 / (1 + np.exp(-(depth - 0.62) * 12))
    auroc = np.clip(0.52 + (0.02 + 0.44 * learnt**1.5) * rise + rng.normal(0, 0.01, layers + 1), 0, 0.995)
    points = [
        PointComparison(
            distance=around(float(0.25 + 2.2 * learnt * r), 0.12, high=9.0),
            distance_noise=float(0.3 + 0.02 * rng.normal()),
            cosine=float(1 - 1.1 * learnt * r),
            auroc=around(float(a), 0.06 - 0.04 * float(a - 0.5)),
            auroc_of_splits=[float(a) + move for move in (-0.02, 0.0, 0.02)],
            control_mean=float(0.5 + 0.005 * rng.normal()),
            control_p95=float(0.585 + 0.008 * rng.normal()),
            pair_cosine=float(0.1 + 0.6 * learnt * r),
            pair_accuracy=around(float(np.clip(0.5 + 0.42 * learnt * r, 0, 1)), 0.09),
        )
        for a, r in zip(auroc, rise, strict=True)
    ]
    clears = [p.auroc.low > p.control_p95 for p in points]
    onset = next((i - 1 for i in range(len(points) - 1) if clears[i] and clears[i + 1]), None)
    return ComparisonResult(
        to_explain=ToExplain(
            size=around(4 * learnt + 0.5, 0.3, high=9.0),
            p_value=1e-9,
            groups=88,
            unit="groups of prompts",
            needed=12,
        ),
        layers=layers,
        frozen_boundary=frozen,
        pooling="mean",
        n_safe=64,
        n_unsafe=64,
        n_pairs=40,
        folds=5,
        splits=10,
        shuffles=20,
        points=points,
        divergence_by_split=[onset] * 8 + [None] * 2,
        divergence_layer=onset,
        decision_auroc=around(0.62 + 0.35 * learnt, 0.03),
        notes=[],
    )
