"""Neuron map: which MLP neurons tell unsafe from safe, which of them matter, and what they respond to.

1. Selectivity: AUROC of each neuron's reading (`analyzer/model/neuron_readings.py`) over all probe prompts,
   Mann-Whitney's test, Benjamini-Hochberg over all neurons that are not constant; beside it the same after shuffles
   of the labels. Readings that rounding alone parts are ties.
2. Effect: class-signed attribution patching, plain and integrated (`analyzer/patching/gradient_pass.py`).
3. True ablation to the mean of the strongest ones, each alone, and those that support the verdict together, beside
   random neurons of the same layers; and of the most selective ones with the least effect: the decoys.

Summary: neurons_significant, neurons_shuffled, neurons_carrying, neuron_strongest_share, neurons_joint_drop,
neurons_control_drop, neuron_agreement; only what is defined. Tensors, (layers, neurons): "auroc", "q", "effect",
"effect_integrated", "effect_error", and uint8 "significant" and "carrying" (significant, and |effect| above twice
its error).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.patching.ablation import Ablation
from analyzer.patching.gradient_pass import GradientPass, shared_gradients
from analyzer.session.context import Context
from analyzer.statistics.folds import shuffled_labels
from analyzer.statistics.ranks import spearman
from analyzer.statistics.significance import q_values, rank_test, shuffled_discoveries
from analyzer.units.effects import (
    Ablator,
    by_layer,
    disputed,
    interval,
    joint,
    random_like,
    strongest_units,
    supporting,
)
from analyzer.units.strongest_tokens import strongest_tokens
from shared.errors import CannotCompute
from shared.findings.neurons import LayerNeurons, NeuronRow, NeuronsResult, TokenInContext
from shared.findings.units import JointAblation, UnitAblation
from shared.settings import Settings

BINS = 256
"""Most bins of a layer's curve over ranks."""
DIGITS = 4
"""Significant digits of these curves."""
NOTHING = 0.1
"""A decoy's ablation does less than this share of the strongest neuron's."""
MOST = 0.5
"""Share of the total effect above which one neuron is said to carry most of it."""


class NeuronsSettings(Settings):
    """How neurons are judged."""

    top: int = Field(10, ge=1, le=100)
    """Neurons that are shown and ablated, the strongest first."""
    decoys: int = Field(5, ge=0, le=50)
    """Selective neurons without effect that are shown at most."""
    controls: int = Field(20, ge=1)
    """Random draws of equally many neurons of the same layers, ablated beside the strongest."""
    fdr: float = Field(0.05, gt=0, lt=1)
    """False-discovery rate over all neurons of the model."""
    shuffles: int = Field(20, ge=1)
    """Shuffles of the labels, the control of selectivity."""
    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts whose effects are measured, at most."""
    ablated: int = Field(64, ge=2)
    """Of these, prompts that units are ablated on, at most."""


@dataclass(frozen=True)
class Selectivity:
    """Of all neurons; each (layers, neurons)."""

    auroc: np.ndarray
    q: np.ndarray
    significant: np.ndarray
    tested: int
    shuffled: list[int]
    mean_safe: np.ndarray
    mean_unsafe: np.ndarray
    distance: np.ndarray
    """Of the class means, in standard deviations within the classes."""


@computes("neurons", NeuronsSettings, version=3)
def neurons(context: Context, settings: NeuronsSettings) -> Outcome:
    """Map the neurons of this checkpoint."""
    selectivity = _selectivity(context, settings)
    found = shared_gradients(context, settings.steps, settings.prompts)
    effects = found.neurons
    ablator = Ablator(context, found.references, settings.ablated)
    top = strongest_units(effects.plain, settings.top)
    alone, together = _ablated_top(ablator, top, settings, context.seed, effects.plain)
    candidates = _candidates(selectivity, effects.plain, set(top), settings.decoys)
    tried = ablator.run([Ablation(neurons=by_layer([unit])) for unit in candidates])
    limit = NOTHING * max((abs(each.drop.value) for each in alone), default=0.0)
    decoys = [(unit, each) for unit, each in zip(candidates, tried, strict=True) if abs(each.drop.value) <= limit][
        : settings.decoys
    ]
    shown = [*zip(top, alone, strict=True), *decoys]
    tokens = strongest_tokens(context, [unit for unit, _ in shown]) if shown else []
    rows = [
        _row(context, selectivity, found, unit, ablation, texts)
        for (unit, ablation), texts in zip(shown, tokens, strict=True)
    ]
    labels = _labels(context)
    carrying = selectivity.significant & (np.abs(effects.plain) > 2 * effects.error)
    total = float(np.abs(effects.plain).sum())
    result = NeuronsResult(
        layers=len(effects.plain),
        frozen_boundary=context.frozen_boundary,
        neurons_per_layer=effects.plain.shape[1],
        n_safe=int((labels == 0).sum()),
        n_unsafe=int((labels == 1).sum()),
        n_effect=found.references.n,
        n_pairs=found.references.n_pairs if found.references.kind == "twin" else 0,
        reference=found.references.kind,
        reading=context.readings.reading,
        steps=settings.steps,
        fdr=settings.fdr,
        tested=selectivity.tested,
        constant=selectivity.auroc.size - selectivity.tested,
        significant=int(selectivity.significant.sum()),
        shuffled_significant=selectivity.shuffled,
        by_layer=_by_layer(context, selectivity, effects.plain),
        top=rows[: len(top)],
        decoys=rows[len(top) :],
        joint=together,
        agreement=spearman([row.effect.value for row in rows], [each.drop.value for _, each in shown]),
        share_of_strongest=float(np.abs(effects.plain).max()) / total if total > 0 else None,
        notes=[*context.judge.anatomy.notes, *found.references.notes, *_notes(context, top, together)],
    )
    tensors = {
        "auroc": selectivity.auroc.astype(np.float32),
        "q": selectivity.q.astype(np.float32),
        "effect": effects.plain,
        "effect_integrated": effects.integrated,
        "effect_error": effects.error,
        "significant": selectivity.significant.astype(np.uint8),
        "carrying": carrying.astype(np.uint8),
    }
    return Outcome(result, _summary(result, int(carrying.sum())), tensors, _warnings(result))


def _labels(context: Context) -> np.ndarray:
    return np.array([int(probe.label == "unsafe") for probe in context.probes])


def _selectivity(context: Context, settings: NeuronsSettings) -> Selectivity:
    labels = _labels(context)
    if not len(labels) or labels.min() == labels.max():
        only = f"only {context.probes[0].label} prompts" if len(labels) else "no prompts"
        raise CannotCompute(
            f"The probe set has {only}, so no neuron can tell safe from unsafe; add prompts of both classes."
        )
    readings = context.readings.values  # (layers, n, neurons)
    layers, count, width = readings.shape
    ranks, tested = (np.concatenate(parts, -1) for parts in zip(*context.readings.ranks(), strict=True))
    auroc, p = rank_test(ranks, labels)
    q = np.ones(layers * width)
    if tested.any():
        q[tested] = q_values(p[tested])
    design = np.zeros(count, dtype=int)  # every other prompt is exchanged with every other
    pairs = [probe.pair for probe in context.probes]
    shuffles = shuffled_labels(labels, design, pairs, settings.shuffles, context.seed)
    shape = (layers, width)
    safe, unsafe = readings[:, labels == 0], readings[:, labels == 1]
    return Selectivity(
        auroc=auroc.reshape(shape),
        q=q.reshape(shape),
        significant=(q <= settings.fdr).reshape(shape),
        tested=int(tested.sum()),
        shuffled=shuffled_discoveries(ranks[:, tested], shuffles, settings.fdr) if tested.any() else [],
        mean_safe=safe.mean(1),
        mean_unsafe=unsafe.mean(1),
        distance=(unsafe.mean(1) - safe.mean(1)) / np.maximum(np.sqrt((safe.var(1) + unsafe.var(1)) / 2), 1e-6),
    )


def _ablated_top(
    ablator: Ablator, top: list[tuple[int, int]], settings: NeuronsSettings, seed: int, effect: np.ndarray
) -> tuple[list[UnitAblation], JointAblation | None]:
    """Each of the strongest alone, then the supporting ones at once beside random draws; in one sweep."""
    carriers = supporting(effect, top)
    ablations = [Ablation(neurons=by_layer([unit])) for unit in top]
    if carriers:
        controls = random_like(carriers, top, effect.shape, settings.controls, seed)
        ablations += [Ablation(neurons=chosen) for chosen in (by_layer(carriers), *controls)]
    found = ablator.run(ablations)
    alone, together = found[: len(top)], found[len(top) :]
    return alone, joint(len(carriers), together[0], together[1:]) if together else None


def _candidates(
    selectivity: Selectivity, effect: np.ndarray, taken: set[tuple[int, int]], count: int
) -> list[tuple[int, int]]:
    """Significant neurons that may be decoys: the most selective first among those with little effect.

    Equal AUROC is common (1 where the classes part), so the distance of the class means decides next.
    """
    small = np.abs(effect) <= NOTHING * max(float(np.abs(effect).max()), 1e-30)
    away = np.abs(selectivity.auroc - 0.5).round(9)  # 0.3 is as far from 0.5 as 0.7, but for the last bit
    selective = np.where(selectivity.significant & small, away, 0.0)
    order = np.lexsort((-np.abs(selectivity.distance).ravel(), -selective.ravel()))
    units = [(int(i) // effect.shape[1], int(i) % effect.shape[1]) for i in order if selective.ravel()[i] > 0]
    return [unit for unit in units if unit not in taken][:count]


def _row(
    context: Context,
    selectivity: Selectivity,
    found: GradientPass,
    unit: tuple[int, int],
    ablation: UnitAblation,
    texts: list[TokenInContext],
) -> NeuronRow:
    layer, neuron = unit
    return NeuronRow(
        layer=layer,
        neuron=neuron,
        frozen=layer < context.frozen_boundary,
        auroc=float(selectivity.auroc[unit]),
        q_value=float(selectivity.q[unit]),
        mean_safe=float(selectivity.mean_safe[unit]),
        mean_unsafe=float(selectivity.mean_unsafe[unit]),
        effect=interval(found.neurons, layer, neuron),
        effect_integrated=float(found.neurons.integrated[unit]),
        disputed=disputed(found.neurons, layer, neuron),
        ablation=ablation,
        tokens=texts,
    )


def _by_layer(context: Context, selectivity: Selectivity, effect: np.ndarray) -> list[LayerNeurons]:
    return [
        LayerNeurons(
            layer=layer,
            frozen=layer < context.frozen_boundary,
            significant=int(selectivity.significant[layer].sum()),
            effect_by_rank=by_rank(np.abs(effect[layer])),
            auroc_by_rank=by_rank(np.abs(selectivity.auroc[layer] - 0.5)),
        )
        for layer in range(len(effect))
    ]


def by_rank(values: np.ndarray) -> list[float]:
    """Values from the largest to the smallest, as means of at most `BINS` equal bins."""
    parts = np.array_split(np.sort(values)[::-1], min(BINS, len(values)))
    return [float(f"{part.mean():.{DIGITS}g}") for part in parts]


def _notes(context: Context, top: list[tuple[int, int]], together: JointAblation | None) -> list[str]:
    notes = []
    if not top:
        notes.append("No neuron has any effect on the score, so none is ablated.")
    elif together is None:
        notes.append("None of the strongest neurons supports the right verdict, so none are ablated together.")
    if together is not None and not together.control_drops:
        notes.append("The layers of the strongest neurons have too few others for a random control.")
    if cut := sum(prompt.truncated for prompt in context.encoded):
        notes.append(f"{cut} prompts are longer than the judge reads and were cut.")
    return notes


def _summary(result: NeuronsResult, carrying: int) -> dict[str, float]:
    summary = {"neurons_significant": float(result.significant), "neurons_carrying": float(carrying)}
    if result.shuffled_significant:
        summary["neurons_shuffled"] = float(np.mean(result.shuffled_significant))
    if result.share_of_strongest is not None:
        summary["neuron_strongest_share"] = result.share_of_strongest
    if result.joint is not None:
        summary["neurons_joint_drop"] = result.joint.drop.value
        if result.joint.control_drops:
            summary["neurons_control_drop"] = float(np.mean(result.joint.control_drops))
    if result.agreement is not None:
        summary["neuron_agreement"] = result.agreement
    return summary


def _warnings(result: NeuronsResult) -> list[str]:
    warnings = []
    found = sum(count > 0 for count in result.shuffled_significant)
    if found > max(2, 3 * result.fdr * len(result.shuffled_significant)):
        warnings.append(
            f"Neurons are significant after {found} of {len(result.shuffled_significant)} shuffles of the labels: "
            "the prompts are not independent enough for these p-values."
        )
    if result.share_of_strongest is not None and result.share_of_strongest > MOST:
        warnings.append(f"One neuron carries {result.share_of_strongest:.0%} of the effect of all neurons.")
    return warnings
