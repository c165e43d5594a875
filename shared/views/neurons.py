"""Neuron map: which MLP neurons tell unsafe from safe, which of them matter, and what they respond to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.units.neuron_map import CEILING, FLOOR, MAX_TOP, neuron_map_figure
from shared.figures.units.words import context_cell, nats, opposed, unit_flags
from shared.findings.badge import badge
from shared.findings.claims import power
from shared.findings.neurons import NeuronRow, NeuronsResult
from shared.findings.parts import interval_cells, typed_result
from shared.findings.removal_curve import CurvePoint
from shared.findings.text import counted, percent
from shared.findings.unit_sentences import (
    CARRIES,
    NOTHING_REMOVED,
    agreement_words,
    counted_groups,
    neurons_headline,
    share_cells,
)
from shared.findings.units import REFERENCES
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One figure: the map of all neurons, and the strongest ones with their ablation, control and tokens."""
    result = typed_result(record, NeuronsResult)
    return [
        Panel(
            stem="neuron_map",
            title=f"Neuron map, {record.label}",
            figure=neuron_map_figure(result, neurons_headline(result), _subtitle(result), _flags(result)),
            caption=_caption(result),
            alt=_alt(result),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _subtitle(result: NeuronsResult) -> str:
    rate = f"FDR {percent(result.fdr)}"
    if not result.explained.claimable:
        differ = f"{result.significant:,} of {counted(result.tested, 'neuron')} differ between the classes ({rate})"
        return f"{power(result.explained)} · {differ}, which says nothing about the verdict"
    selective = f"{result.significant:,} of {counted(result.tested, 'neuron')} tell safe from unsafe ({rate})"
    agreed = agreement_words(result.agreement)
    return f"{selective}{f' · {agreed}' if agreed else ''}{opposed(result.top, result.explained)}"


def _flags(result: NeuronsResult) -> list[str]:
    flags = unit_flags(result.top, result.agreement, "neurons")
    control = result.shuffled_significant
    mean = sum(control) / len(control) if control else 0.0
    if mean > max(1.0, result.fdr * result.significant):
        flags.append(
            f"CONTROL FAILS: with shuffled labels {counted(round(mean), 'neuron is', 'neurons are')} significant "
            f"on average"
        )
    return flags


def _caption(result: NeuronsResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    shown = (
        "What it shows: top left, |effect by attribution| of all neurons, each layer's strongest first (neuron "
        f"numbers have no order); colours run from {10.0**FLOOR:.5f} to {10**CEILING} nat at every epoch. Beside "
        "it, how many neurons of a layer are more active on one class than chance allows. "
    )
    if not result.explained.claimable:
        return f"{shown}{NOTHING_REMOVED}{notes}"
    more = f" The table holds all {len(result.top)}." if len(result.top) > MAX_TOP else ""
    folds = 0 if result.curve is None else result.curve.folds
    return (
        f"{shown}Top right, the share of the separation that is left when more and more of the strongest neurons "
        "are set to their means together, and the same of as many random ones of the same layers: ranked on all "
        f"but one of {folds} parts of the prompts, removed on that one. Below, some of them one by one: marker, "
        "effect by attribution; bar, what its removal really costs on prompts that it was not chosen on; lines, "
        "95 % intervals; grey band, random ones, each alone; AUROC (filled: significant); and the tokens that "
        f"excite it most.{more} Orange, hatched and diamonds: frozen layers.\n"
        f"How to read: {CARRIES} The marker is against {REFERENCES[result.reference]}, the bar against the mean, "
        "so the two may differ; Spearman's correlation takes the mean for both. Positive supports the right "
        "verdict, negative works against it. Decoys respond to one class, and less than 1 % of the separation is "
        "lost without one: selectivity alone proves nothing. A ⚠ means that plain and integrated gradient "
        "disagree about a neuron. The halves of two checkpoints differ for certain only where their intervals lie "
        "apart.\nWorrying: one neuron carries most; the curve falls no faster than the random "
        "one; decoys are the most selective of all; effects sit in frozen layers only; tokens are template words "
        f"or punctuation.{_concentration(result)}{notes}"
    )


def _concentration(result: NeuronsResult) -> str:
    if result.share_of_strongest is None:
        return ""
    share = percent(result.share_of_strongest, 1)
    return f" Here the strongest neuron has {share} of the |effect by attribution| of all."


def _alt(result: NeuronsResult) -> str:
    named = ", ".join(_named(neuron) for neuron in result.top[:5])
    decoys = ", ".join(f"{neuron.name} (AUROC {neuron.auroc:.2f})" for neuron in result.decoys[:3])
    control = result.shuffled_significant
    shuffled = f"; with shuffled labels {min(control)} to {max(control)}" if control else ""
    most = max(result.by_layer, key=lambda layer: layer.significant, default=None)
    where = f", most in layer {most.layer} ({most.significant})" if most is not None and result.significant else ""
    return (
        f"{neurons_headline(result)}. {result.significant} of {counted(result.tested, 'neuron')} in "
        f"{counted(result.layers, 'layer')} are significant{where}{shuffled}. Chosen, effect by attribution and "
        f"loss when removed in nats: {named or 'none'}. Decoys: {decoys or 'none'}. "
        f"{counted(result.frozen_boundary, 'layer is', 'layers are')} frozen."
    )


def _named(neuron: NeuronRow) -> str:
    return f"{neuron.name} {nats(neuron.effect.value)} ({nats(neuron.ablation.drop.value)} lost)"


def _facts(result: NeuronsResult) -> list[str]:
    pairs = f" ({counted(result.n_pairs, 'contrast pair')})" if result.n_pairs else ""
    curve = (
        ""
        if result.curve is None
        else f", the curve on n = {result.curve.n} in {counted(result.curve.folds, 'part')}"
    )
    return [
        f"selectivity: n = {result.n_safe} safe + {result.n_unsafe} unsafe, {result.reading} over real tokens, "
        f"Mann-Whitney, FDR {percent(result.fdr)} over {counted(result.tested, 'neuron')} "
        f"({counted(result.constant, 'constant one')} left out)",
        f"effect: n = {result.n_effect}{pairs}, against {REFERENCES[result.reference]}, gradient at the "
        f"prompt; the integrated one beside it has {counted(result.steps, 'step')}",
        f"separation: {counted_groups(result.explained)}, bootstrap-t intervals",
        f"ablation: set to the probe-set mean, chosen and measured on different prompts{curve}",
        f"control: {counted(len(result.shuffled_significant), 'label shuffle')}, "
        f"{counted(len(result.random_drops), 'random neuron')}",
    ]


def _rows(result: NeuronsResult) -> list[dict[str, Any]]:
    """The neurons shown, then the layers."""
    kinds = [("top", neuron) for neuron in result.top] + [("decoy", neuron) for neuron in result.decoys]
    rows = [_neuron_cells(kind, neuron) for kind, neuron in kinds]
    return (
        rows
        + [
            {
                "what": f"layer {layer.layer}",
                "frozen": layer.frozen,
                "significant": layer.significant,
                "strongest_effect_bin": layer.effect_by_rank[0] if layer.effect_by_rank else None,
                "most_selective_bin": layer.auroc_by_rank[0] if layer.auroc_by_rank else None,
            }
            for layer in result.by_layer
        ]
        + [_curve_cells(point) for point in (result.curve.points if result.curve else [])]
    )


def _curve_cells(point: CurvePoint) -> dict[str, Any]:
    left, random = (interval_cells(name, getattr(point, name)) for name in ("left", "random"))
    return {"what": f"{point.removed} removed", **left, **random}


def _neuron_cells(kind: str, neuron: NeuronRow) -> dict[str, Any]:
    ablation = neuron.ablation
    return {
        "what": kind,
        "neuron": neuron.name,
        "frozen": neuron.frozen,
        **interval_cells("effect", neuron.effect),
        "effect_integrated": neuron.effect_integrated,
        "disputed": neuron.disputed,
        **interval_cells("ablation_drop", ablation.drop),
        **share_cells(ablation),
        "flips": ablation.flips,
        "prompts": ablation.n,
        "auroc": neuron.auroc,
        "q_value": neuron.q_value,
        "mean_safe": neuron.mean_safe,
        "mean_unsafe": neuron.mean_unsafe,
        "tokens": context_cell(neuron.tokens),
    }


register(View(name="neurons", title="Neurons", suite="advanced", order=50, result=NeuronsResult, panels=panels))
