"""A made-up result of `layers`: the score forms later in the layers, and more surely, as the epochs pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.findings.claims import ToExplain
from shared.findings.layers import LayersResult, LensBand, SampleLayers
from shared.findings.parts import Interval
from shared.records import Label
from tests.making.fake_samples import around, fake_id


def fake_layers(
    samples: Sequence[tuple[str, Label, str]], learnt: float, layers: int, frozen: int, rng: np.random.Generator
) -> LayersResult:
    depth = np.arange(layers + 1) / max(layers, 1)
    opening = np.clip((depth - 0.4) / 0.6, 0, 1) ** 1.5
    base = 6 + 9 * depth

    def sample(text: str, label: Label) -> SampleLayers:
        sign = 1 if label == "unsafe" else -1
        lens = 0.2 + opening * sign * (0.4 + 4.5 * learnt) + rng.normal(0, 0.12, layers + 1)
        return SampleLayers(
            probe_id=fake_id(text),
            text=text,
            label=label,
            score=float(lens[-1]),
            residual_norm=(base + rng.normal(0, 0.3, layers + 1)).tolist(),
            attention_write=(2 + 3 * depth[1:] + rng.normal(0, 0.15, layers)).tolist(),
            mlp_write=(3 + 5 * depth[1:] * (0.6 + learnt) + rng.normal(0, 0.2, layers)).tolist(),
            lens=lens.tolist(),
        )

    def band(label: Label) -> LensBand:
        mean = 0.2 + opening * (1 if label == "unsafe" else -1) * (0.3 + 4 * learnt)
        half = 0.15 + 0.5 * opening
        return LensBand(
            label=label,
            count=64,
            score=[
                Interval(value=float(m), low=float(m - h), high=float(m + h))
                for m, h in zip(mean, half, strict=True)
            ],
        )

    return LayersResult(
        to_explain=ToExplain(
            size=around(1 + 7 * learnt, 0.4, high=9.0),
            p_value=1e-9,
            groups=88,
            unit="groups of prompts",
            needed=12,
        ),
        layers=layers,
        frozen_boundary=frozen,
        frozen_from="bytes",
        embeddings_frozen=frozen > 0,
        pooling="mean",
        norm_position="post",
        samples=[sample(text, label) for text, label, _ in samples],
        bands=[band("safe"), band("unsafe")],
        notes=[],
    )
