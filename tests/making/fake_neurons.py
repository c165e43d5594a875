"""Made-up but realistic results of the analysis `neurons`, and the tensors that go with them.

A few neurons of the later layers take the verdict over as the judge learns, most do nothing, and some correlate
with the classes without any effect: the decoys. The same neurons do so at every epoch, so histories have a shape.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from shared.findings.claims import ToExplain
from shared.findings.neurons import LayerNeurons, NeuronRow, NeuronsResult, TokenInContext
from shared.findings.parts import Interval
from shared.findings.removal_curve import CurvePoint, HalfGone, RemovalCurve
from shared.findings.units import Agreement, UnitAblation
from shared.records import Label

Samples = Sequence[tuple[str, Label, str]]
Tensors = dict[str, np.ndarray]
BINS, FDR, PROMPTS, TOP, DECOYS = 256, 0.05, 96, 10, 4


def fake_neuron_tensors(learnt: float, layers: int, frozen: int, neurons: int, seed: int, noise: int) -> Tensors:
    """What the analysis stores for every neuron. `noise` differs between epochs, `seed` does not."""
    fixed, fresh = np.random.default_rng([seed, 77]), np.random.default_rng([seed, noise, 78])
    shape = (layers, neurons)
    depth = (np.arange(layers) + 1)[:, None] / layers
    strength = np.exp(fixed.normal(-7.5, 1.6, shape)) * (0.15 + depth**2)
    carriers = fixed.choice(layers * neurons, size=max(4, 3 * layers), replace=False)
    strength.flat[carriers] += fixed.gamma(1.2, 0.12, carriers.size) * (
        0.2 + depth.repeat(neurons, 1).flat[carriers]
    )
    tuned = np.where(np.arange(layers) >= frozen, 1.0, 0.25)[:, None]
    sign = np.where(fixed.random(shape) < 0.75, 1.0, -1.0)
    sign.flat[carriers] = np.where(fixed.random(carriers.size) < 0.9, 1.0, -1.0)
    born = fixed.uniform(0, 0.8, shape)
    error = 0.15 * strength * tuned + 1e-5
    effect = sign * strength * tuned * np.clip((learnt - born) / 0.4, 0.02, 1) + fresh.normal(0, 0.5, shape) * error
    selective = np.clip(40 * np.abs(effect), 0, 0.42) + np.abs(fresh.normal(0, 0.05, shape))
    decoys = fixed.choice(layers * neurons, size=3 * layers, replace=False)
    selective.flat[decoys] = 0.3 + 0.15 * learnt
    effect.flat[decoys] = fresh.normal(0, 1e-4, decoys.size)
    auroc = np.clip(0.5 + np.where(fixed.random(shape) < 0.6, 1, -1) * selective, 0.01, 0.99)
    q = np.clip(np.exp(-((np.abs(auroc - 0.5) / 0.09) ** 2)), 1e-12, 1)
    significant = q <= FDR
    tensors = {"auroc": auroc, "q": q, "effect": effect, "effect_error": error}
    tensors["effect_integrated"] = effect * fresh.normal(1, 0.25, shape)
    found = {name: values.astype(np.float32) for name, values in tensors.items()}
    found["significant"] = significant.astype(np.uint8)
    found["with_effect"] = (significant & (np.abs(effect) > 2 * error)).astype(np.uint8)
    strong = np.abs(effect) > np.sort(np.abs(effect), axis=None)[-TOP - 1]
    found["carries"] = np.where(strong, effect > 0.05, -1).astype(np.int8)
    return found


def fake_neurons(
    learnt: float,
    layers: int,
    frozen: int,
    samples: Samples,
    *,
    neurons: int = 512,
    seed: int = 0,
    noise: int = 0,
) -> tuple[NeuronsResult, Tensors]:
    """A result and its tensors; `learnt` in [0, 1]."""
    tensors = fake_neuron_tensors(learnt, layers, frozen, neurons, seed, noise)
    rng = np.random.default_rng([seed, noise, 79])
    size = np.abs(tensors["effect"])
    strongest = [(int(i) // neurons, int(i) % neurons) for i in np.argsort(-size, axis=None)[:TOP]]
    idle = np.where(tensors["significant"] & (size < 1e-3), np.abs(tensors["auroc"] - 0.5), -1)
    decoys = [
        (int(i) // neurons, int(i) % neurons) for i in np.argsort(-idle, axis=None)[:DECOYS] if idle.flat[i] > 0
    ]
    top = [_row(place, tensors, frozen, samples, rng) for place in strongest]
    result = NeuronsResult(
        layers=layers,
        frozen_boundary=frozen,
        neurons_per_layer=neurons,
        n_safe=64,
        n_unsafe=64,
        n_effect=PROMPTS,
        n_pairs=PROMPTS // 2,
        reference="twin",
        reading="max",
        steps=5,
        explained=separation(0.2 + 2.0 * learnt),
        fdr=FDR,
        tested=layers * neurons - 3,
        constant=3,
        significant=int(tensors["significant"].sum()),
        shuffled_significant=[0, 0, 1, 0, 0, 2, 0, 0, 0, 0],
        by_layer=[_layer(layer, tensors, frozen) for layer in range(layers)],
        top=top,
        decoys=[_row(place, tensors, frozen, samples, rng) for place in decoys],
        curve=fake_curve(layers * neurons),
        random_drops=rng.normal(0.0, 0.001, 20).tolist(),
        agreement=Agreement(spearman=Interval(value=0.93, low=0.86, high=0.97), shown=TOP + DECOYS, random=20),
        share_of_strongest=float(size.max() / size.sum()),
        notes=[],
    )
    return result, tensors


def separation(value: float) -> ToExplain:
    """What there is to explain, nats."""
    size = spread(value, 0.15 * value)
    return ToExplain(size=size, p_value=1e-6, groups=48, unit="contrast pairs", needed=20)


def fake_curve(total: int) -> RemovalCurve:
    """Half is gone at a sixteenth of the neurons."""
    sizes = sorted({min(size, total - 1) for size in (1, 5, 20, *(round(total * s) for s in (0.01, 0.1, 0.5)))})
    left = [1 / (1 + 16 * size / total) for size in sizes]
    points = [
        CurvePoint(removed=size, left=spread(share, 0.06), random=spread(0.96, 0.02) if size > 20 else None)
        for size, share in zip(sizes, left, strict=True)
    ]
    half = HalfGone(at=total // 16, low=total // 20, high=total // 12)
    return RemovalCurve(points=points, half=half, total=total, n=128, folds=5)


def spread(value: float, half: float) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def _layer(layer: int, tensors: Tensors, frozen: int) -> LayerNeurons:
    return LayerNeurons(
        layer=layer,
        frozen=layer < frozen,
        significant=int(tensors["significant"][layer].sum()),
        effect_by_rank=_by_rank(tensors["effect"][layer]),
        auroc_by_rank=_by_rank(tensors["auroc"][layer] - 0.5),
    )


def _by_rank(values: np.ndarray) -> list[float]:
    ranked = -np.sort(-np.abs(values))
    return [float(part.mean()) for part in np.array_split(ranked, min(BINS, len(ranked)))]


def _row(
    place: tuple[int, int], tensors: Tensors, frozen: int, samples: Samples, rng: np.random.Generator
) -> NeuronRow:
    effect, error = float(tensors["effect"][place]), float(tensors["effect_error"][place])
    integrated = float(tensors["effect_integrated"][place])
    auroc = float(tensors["auroc"][place])
    removed = effect * float(rng.normal(0.9, 0.1))
    return NeuronRow(
        layer=place[0],
        neuron=place[1],
        frozen=place[0] < frozen,
        auroc=auroc,
        q_value=float(tensors["q"][place]),
        mean_safe=0.4,
        mean_unsafe=0.4 + 2 * (auroc - 0.5),
        effect=spread(effect, 1.96 * error),
        effect_integrated=integrated,
        disputed=integrated * effect < 0 or not 0.5 <= abs(integrated) / max(abs(effect), 1e-9) <= 2,
        ablation=UnitAblation(
            drop=spread(removed, 2 * error + 0.002),
            share=spread(0.4 * removed, 0.02),
            flips=int(9 * abs(effect)),
            n=PROMPTS,
            carries=removed > 0.05,
        ),
        tokens=_tokens(samples, rng),
    )


def _tokens(samples: Samples, rng: np.random.Generator) -> list[TokenInContext]:
    """A word of each of some prompts, with what stands around it."""
    found = []
    for number, index in enumerate(rng.permutation(len(samples))[:5]):
        text, label, _ = samples[int(index)]
        words = list(re.finditer(r"\S+", text))
        if not words:
            continue
        word = words[int(rng.integers(len(words)))]
        found.append(
            TokenInContext(
                probe_id=f"{int(index):016x}",
                label=label,
                before=text[max(0, word.start() - 60) : word.start()],
                token=word.group(),
                after=text[word.end() : word.end() + 60],
                activation=4.0 - 0.4 * number,
            )
        )
    return found
