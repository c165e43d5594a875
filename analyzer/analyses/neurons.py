"""Neuron map: which MLP neurons tell unsafe from safe, which of them matter, and what they respond to.

1. The separation on the prompts that neurons are removed on (`analyzer/units/separation.py`). Where it may be
   chance, nothing is removed, and nothing is claimed.
2. Selectivity (`analyzer/units/selectivity.py`) and effect: class-signed attribution patching, plain and integrated
   (`analyzer/patching/gradient_pass.py`), of every neuron.
3. The ablation curve (`analyzer/units/curve.py`): ranked on four fifths of the prompts, the strongest removed
   together on the fifth, beside random neurons of the same layers.
4. True ablation of the strongest ones, each alone and only where the other prompts chose it, beside random ones;
   and of the most selective ones with the least effect: the decoys.

Summary: neurons_significant, neurons_shuffled, neurons_with_effect, neuron_strongest_share, neurons_half,
neuron_agreement; only what is defined. Tensors, (layers, neurons): "auroc", "q", "effect", "effect_integrated",
"effect_error", uint8 "significant" and "with_effect" (significant, and |effect| by attribution above twice its
error), and int8 "carries": 1 or 0 where a neuron was removed alone and carries the verdict or does not, -1 where it
was not removed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.patching.gradient_pass import GradientPass, shared_gradients
from analyzer.session.context import Context
from analyzer.statistics.ties import largest_first
from analyzer.units.alone import Alone, removed_alone
from analyzer.units.curve import ranked, removal_curve
from analyzer.units.effects import LEAST, Unit, disputed, interval, random_others
from analyzer.units.mean_attribution import FOLDS, MeanAttribution, shared_mean_attribution
from analyzer.units.removal import Removal
from analyzer.units.selectivity import Selectivity, decoy_candidates, selectivity_of, unsafe_labels
from analyzer.units.strongest_tokens import strongest_tokens
from shared.findings.claims import LEAST_SHARE
from shared.findings.neurons import LayerNeurons, NeuronRow, NeuronsResult, TokenInContext
from shared.findings.removal_curve import RemovalCurve
from shared.findings.text import counted
from shared.findings.units import UnitAblation
from shared.settings import Settings

BINS = 256
"""Most bins of a layer's curve over ranks."""
DIGITS = 4
"""Significant digits of these curves."""
TRIED = 2
"""Candidates for each decoy that is shown: some do something after all."""
MOST = 0.5
"""Share of the total effect above which one neuron is said to have most of it."""


class NeuronsSettings(Settings):
    """How neurons are judged."""

    top: int = Field(10, ge=1, le=100)
    """Neurons that are shown and ablated one by one, chosen on other prompts than they are ablated on."""
    decoys: int = Field(5, ge=0, le=50)
    """Selective neurons without effect that are shown at most."""
    controls: int = Field(20, ge=1)
    """Random neurons of the same layers, ablated one by one beside the strongest."""
    fdr: float = Field(0.05, gt=0, lt=1)
    """False-discovery rate over all neurons of the model."""
    shuffles: int = Field(20, ge=1)
    """Shuffles of the labels, the control of selectivity."""
    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts whose effects are measured, at most."""
    ablated: int = Field(48, ge=2)
    """Prompts that neurons are ablated on one by one, at most; the curve takes up to 128."""


class Removed(NamedTuple):
    """What removing neurons says; nothing where there is nothing to explain."""

    top: list[Unit]
    decoys: list[Unit]
    alone: Alone
    curve: RemovalCurve | None


@computes("neurons", NeuronsSettings, version=5)
def neurons(context: Context, settings: NeuronsSettings) -> Outcome:
    """Map the neurons of this checkpoint."""
    selectivity = selectivity_of(context, settings.fdr, settings.shuffles)
    found = shared_gradients(context, settings.steps, settings.prompts)
    effects, labels = found.neurons, unsafe_labels(context)
    attribution = shared_mean_attribution(context, settings.ablated)
    removal = Removal(context, attribution.indices, "neurons")
    removed = Removed([], [], Alone({}, None, []), None)
    if removal.explained.claimable:
        removed = _removed(context, removal, attribution, selectivity, settings)
    shown = [*removed.top, *removed.decoys]
    tokens = strongest_tokens(context, shown) if shown else []
    rows = [
        _row(context, selectivity, found, unit, removed.alone.told[unit], texts)
        for unit, texts in zip(shown, tokens, strict=True)
    ]
    with_effect = selectivity.significant & (np.abs(effects.plain) > 2 * effects.error)
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
        explained=removal.explained,
        fdr=settings.fdr,
        tested=selectivity.tested,
        constant=selectivity.auroc.size - selectivity.tested,
        significant=int(selectivity.significant.sum()),
        shuffled_significant=selectivity.shuffled,
        by_layer=_by_layer(context, selectivity, effects.plain),
        top=rows[: len(removed.top)],
        decoys=rows[len(removed.top) :],
        curve=removed.curve,
        random_drops=removed.alone.random,
        agreement=removed.alone.agreement,
        share_of_strongest=float(np.abs(effects.plain).max()) / total if total > 0 else None,
        notes=[*context.judge.anatomy.notes, *found.references.notes, *_notes(context)],
    )
    tensors = {
        "auroc": selectivity.auroc.astype(np.float32),
        "q": selectivity.q.astype(np.float32),
        "effect": effects.plain,
        "effect_integrated": effects.integrated,
        "effect_error": effects.error,
        "significant": selectivity.significant.astype(np.uint8),
        "with_effect": with_effect.astype(np.uint8),
        "carries": removed.alone.carrying(effects.plain.shape),
    }
    return Outcome(result, _summary(result, int(with_effect.sum())), tensors, _warnings(result))


def _removed(
    context: Context,
    removal: Removal,
    attribution: MeanAttribution,
    selectivity: Selectivity,
    settings: NeuronsSettings,
) -> Removed:
    size, by_fold = removal.explained.size.value, attribution.by_fold
    overall, shape = by_fold.sum(0), by_fold.shape[1:]
    orders = [ranked(overall - by_fold[fold], size) for fold in range(FOLDS)]
    curve = removal_curve(removal, attribution.fold, orders, shape, context.seed)
    few = Removal(context, attribution.indices[: settings.ablated], "neurons")
    fold = attribution.fold[: settings.ablated]
    top = _strongest(ranked(overall, size), overall, settings.top)
    rows = {unit: _not_chosen_on(unit, orders, fold, shape[1], settings.top) for unit in top}
    rows = {unit: where for unit, where in rows.items() if few.separation.both_classes(where)}
    candidates = decoy_candidates(selectivity, overall, set(top), TRIED * settings.decoys)
    rows |= dict.fromkeys(candidates, few.all)
    random = random_others([*rows], shape, settings.controls, context.seed)
    alone = removed_alone(few, rows, random, {unit: float(attribution.ablated[unit]) for unit in [*rows, *random]})
    idle = [unit for unit in candidates if _does_nothing(alone.told[unit])]
    return Removed([unit for unit in alone.told if unit in top], idle[: settings.decoys], alone, curve)


def _strongest(order: np.ndarray, effects: np.ndarray, count: int) -> list[Unit]:
    """The first of a ranking, as far as they are strong; those that rounding alone parts by their place."""
    best = np.sort(order[: 4 * count])
    size = np.abs(effects.ravel()[best])
    best = best[[place for place in largest_first(size)[:count] if size[place] > LEAST * size.max()]]
    return [(int(place) // effects.shape[1], int(place) % effects.shape[1]) for place in best]


def _not_chosen_on(unit: Unit, orders: list[np.ndarray], fold: np.ndarray, width: int, count: int) -> np.ndarray:
    """Prompts of the folds without which the unit is among the first `count` all the same."""
    place = unit[0] * width + unit[1]
    return np.flatnonzero(np.array([place in order[:count] for order in orders])[fold])


def _does_nothing(ablation: UnitAblation) -> bool:
    """Whether less than a hundredth of the separation changes, with its interval."""
    share = ablation.share
    return share is not None and share.low > -LEAST_SHARE and share.high < LEAST_SHARE


def _row(
    context: Context,
    selectivity: Selectivity,
    found: GradientPass,
    unit: Unit,
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


def _notes(context: Context) -> list[str]:
    if cut := sum(prompt.truncated for prompt in context.encoded):
        return [f"{counted(cut, 'prompt is', 'prompts are')} longer than the judge reads and cut."]
    return []


def _summary(result: NeuronsResult, with_effect: int) -> dict[str, float]:
    summary = {"neurons_significant": float(result.significant), "neurons_with_effect": float(with_effect)}
    if result.shuffled_significant:
        summary["neurons_shuffled"] = float(np.mean(result.shuffled_significant))
    if result.share_of_strongest is not None:
        summary["neuron_strongest_share"] = result.share_of_strongest
    if result.curve is not None and result.curve.half is not None:
        summary["neurons_half"] = float(result.curve.half.at)
    if result.agreement is not None:
        summary["neuron_agreement"] = result.agreement.spearman.value
    return summary


def _warnings(result: NeuronsResult) -> list[str]:
    warnings = []
    found = sum(count > 0 for count in result.shuffled_significant)
    if found > max(2, 3 * result.fdr * len(result.shuffled_significant)):
        warnings.append(
            f"Neurons are significant after {found} of {len(result.shuffled_significant)} shuffles of the labels: "
            "the prompts are not independent enough for these p-values."
        )
    if result.explained.claimable and (result.share_of_strongest or 0) > MOST:
        warnings.append(f"One neuron has {result.share_of_strongest:.0%} of the effects by attribution of all.")
    return warnings
