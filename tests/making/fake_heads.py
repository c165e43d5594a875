"""Made-up but realistic results of the analysis `heads`, and the tensors that go with them."""

from __future__ import annotations

import re

import numpy as np

from shared.findings.heads import AttendedToken, HeadRow, HeadsResult
from shared.findings.parts import Interval
from shared.findings.units import Agreement, JointAblation, UnitAblation
from tests.making.fake_neurons import PROMPTS, Samples, Tensors, separation, spread

TOP = 8


def fake_heads(
    learnt: float,
    layers: int,
    frozen: int,
    samples: Samples,
    *,
    heads: int = 12,
    seed: int = 0,
    noise: int = 0,
) -> tuple[HeadsResult, Tensors]:
    """A result and its tensors; `learnt` in [0, 1]. The same heads matter at every epoch."""
    fixed, fresh = np.random.default_rng([seed, 87]), np.random.default_rng([seed, noise, 88])
    depth = (np.arange(layers) + 1)[:, None] / layers
    effect = (
        fixed.standard_t(2.5, (layers, heads))
        * 0.05
        * depth
        * np.where(np.arange(layers) < frozen, 0.4, 1)[:, None]
    )
    effect = np.where(fixed.random(effect.shape) < 0.75, np.abs(effect), -np.abs(effect))
    effect = effect * (0.1 + learnt) + fresh.normal(0, 0.003, effect.shape)
    tensors = {
        "carries": np.where(np.abs(effect) > 0.1, np.sign(effect - 0.1) > 0, -1).astype(np.int8),
        "effect": effect.astype(np.float32),
        "effect_integrated": (effect * fresh.normal(1, 0.25, effect.shape)).astype(np.float32),
    }
    places = [(int(i) // heads, int(i) % heads) for i in np.argsort(-np.abs(effect), axis=None)[:TOP]]
    together = float(sum(max(effect[place], 0.0) for place in places)) * 0.9
    result = HeadsResult(
        layers=layers,
        heads=heads,
        kv_heads=heads,
        frozen_boundary=frozen,
        n_safe=64,
        n_unsafe=64,
        n_effect=PROMPTS,
        n_pairs=PROMPTS // 2,
        reference="twin",
        steps=5,
        explained=separation(0.2 + 2.0 * learnt),
        effect=tensors["effect"].astype(float).tolist(),
        measured=0,
        top=[_row(place, tensors, frozen, samples, fresh) for place in places],
        joint=JointAblation(
            sizes=[5, 6],
            named=[],
            redundant=[],
            each=[],
            drop=spread(together, 0.1 * abs(together) + 0.02),
            share=spread(0.6, 0.1),
            flips=int(15 * learnt),
            n=PROMPTS,
            control_drops=fresh.normal(0.05, 0.04, 20).tolist(),
            control_flips=fresh.integers(0, 3, 20).tolist(),
            carries=learnt > 0.3,
        ),
        random_drops=fresh.normal(0.0, 0.01, 20).tolist(),
        agreement=Agreement(spearman=Interval(value=0.88, low=0.7, high=0.95), shown=TOP, random=20),
        notes=[],
    )
    return result, tensors


def _row(
    place: tuple[int, int], tensors: Tensors, frozen: int, samples: Samples, rng: np.random.Generator
) -> HeadRow:
    effect, integrated = (float(tensors[name][place]) for name in ("effect", "effect_integrated"))
    sink = float(rng.beta(2, 3))
    return HeadRow(
        layer=place[0],
        head=place[1],
        frozen=place[0] < frozen,
        effect=spread(effect, 0.2 * abs(effect) + 0.004),
        effect_integrated=integrated,
        disputed=integrated * effect < 0 or not 0.5 <= abs(integrated) / max(abs(effect), 1e-9) <= 2,
        ablation=UnitAblation(
            drop=spread(effect * float(rng.normal(0.9, 0.15)), 0.15 * abs(effect) + 0.005),
            share=spread(0.4 * effect, 0.05),
            flips=int(8 * abs(effect)),
            n=PROMPTS,
            carries=effect > 0.05,
        ),
        attends=_attended(samples, rng, sink),
        sink_share=sink,
        self_share=float(rng.beta(1.5, 8)) * (1 - sink),
        previous_share=float(rng.beta(1.5, 8)) * (1 - sink),
        read_attends=_attended(samples, rng, sink)[:4] if place[1] % 2 == 0 else [],
    )


def _attended(samples: Samples, rng: np.random.Generator, sink: float) -> list[AttendedToken]:
    """Some words of the prompts, and a sink, by lift."""
    words = sorted({word.lower() for text, _, _ in samples for word in re.findall(r"\S+", text)})
    chosen = [words[int(i)] for i in rng.permutation(len(words))[:6]]
    lifts = np.sort(1 + rng.gamma(1.5, 1.5, len(chosen)))[::-1]
    found = [
        AttendedToken(
            token=word, share=float(min(0.9, 0.06 * lift)), lift=float(lift), prompts=3 + number, sink=False
        )
        for number, (word, lift) in enumerate(zip(chosen, lifts, strict=True))
    ]
    special = "[CLS]"
    rest = AttendedToken(token=special, share=sink, lift=16 * sink, prompts=128, sink=True)
    return sorted([*found, rest], key=lambda token: -token.lift)
