"""Neuron map: which MLP neurons tell unsafe from safe, which of them matter, and what they respond to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.units.neuron_map import CEILING, FLOOR, MAX_TOP, neuron_map_figure
from shared.figures.units.words import context_cell, finding, nats, opposed, unit_flags
from shared.findings.badge import badge
from shared.findings.neurons import NeuronRow, NeuronsResult
from shared.findings.parts import interval_cells, typed_result
from shared.findings.text import percent
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
            figure=neuron_map_figure(result, _headline(result), _subtitle(result), _flags(result)),
            caption=_caption(result),
            alt=_alt(result),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
        )
    ]


def _headline(result: NeuronsResult) -> str:
    if result.significant == 0:
        return f"No neuron is significant beyond the FDR of {percent(result.fdr)}"
    return finding(result.joint, "neurons")


def _subtitle(result: NeuronsResult) -> str:
    counted = (
        f"{result.significant:,} of {result.tested:,} neurons tell safe from unsafe (FDR {percent(result.fdr)})"
    )
    if result.significant == 0 and result.joint is not None:
        return f"{counted} · {finding(result.joint, 'neurons')}"
    agreed = "" if result.agreement is None else f" · Spearman with ablation {result.agreement:.2f}"
    return counted + agreed + opposed(result.top)


def _flags(result: NeuronsResult) -> list[str]:
    flags = unit_flags(result.top, result.agreement, "neurons")
    control = result.shuffled_significant
    mean = sum(control) / len(control) if control else 0.0
    if mean > max(1.0, result.fdr * result.significant):
        flags.append(f"CONTROL FAILS: with shuffled labels {mean:.0f} neurons are significant on average")
    return flags


def _caption(result: NeuronsResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    more = f" The table holds all {len(result.top)}." if len(result.top) > MAX_TOP else ""
    return (
        "What it shows: top left, |effect| of all neurons, each layer's strongest first (neuron numbers have no "
        f"order); colours run from {10.0**FLOOR:.5f} to {10**CEILING} nat at every epoch. Beside it, how many "
        "neurons of a layer are more active on one class than chance allows, and what the judge loses when those "
        "of the strongest that support the verdict are set to their mean together, against as many random ones of "
        "the same layers. Below, the strongest one by one: marker, effect by attribution (nats of separation it "
        "carries, to first order); bar, what its removal really costs; lines, 95 % intervals; grey band, the "
        f"random ones together; AUROC (filled: significant); and the tokens that excite it most.{more} Orange, "
        "hatched and diamonds: frozen layers.\n"
        "How to read: a neuron carries the verdict when marker and bar agree and clear both 0 and the grey band. "
        "Positive supports the right verdict, negative works against it. Decoys respond to one class, and removing "
        "them changes nothing: selectivity alone proves nothing. A ⚠ means that plain and integrated gradient "
        "disagree about a neuron.\n"
        "Worrying: one neuron carries most of the effect; the strongest do nothing when removed; decoys are the "
        "most selective of all; effects sit in frozen layers only; tokens are template words or punctuation."
        f"{_concentration(result)}{notes}"
    )


def _concentration(result: NeuronsResult) -> str:
    if result.share_of_strongest is None:
        return ""
    return f" Here the strongest neuron has {percent(result.share_of_strongest, 1)} of the |effect| of all."


def _alt(result: NeuronsResult) -> str:
    named = ", ".join(_named(neuron) for neuron in result.top[:5])
    decoys = ", ".join(f"{neuron.name} (AUROC {neuron.auroc:.2f})" for neuron in result.decoys[:3])
    control = result.shuffled_significant
    shuffled = f"; with shuffled labels {min(control)} to {max(control)}" if control else ""
    most = max(result.by_layer, key=lambda layer: layer.significant, default=None)
    where = f", most in layer {most.layer} ({most.significant})" if most is not None and result.significant else ""
    return (
        f"{_headline(result)}. {result.significant} of {result.tested} neurons in {result.layers} layers are "
        f"significant{where}{shuffled}. Strongest, effect and loss when removed in nats: {named or 'none'}. "
        f"Decoys: {decoys or 'none'}. {result.frozen_boundary} layers are frozen."
    )


def _named(neuron: NeuronRow) -> str:
    lost = "not removed" if neuron.ablation is None else f"{nats(neuron.ablation.drop.value)} lost"
    return f"{neuron.name} {nats(neuron.effect.value)} ({lost})"


def _facts(result: NeuronsResult) -> list[str]:
    pairs = f" ({result.n_pairs} contrast pairs)" if result.n_pairs else ""
    return [
        f"selectivity: n = {result.n_safe} safe + {result.n_unsafe} unsafe, {result.reading} over real tokens, "
        f"Mann-Whitney, FDR {percent(result.fdr)} over {result.tested} neurons ({result.constant} constant ones "
        "left out)",
        f"effect: n = {result.n_effect}{pairs}, against {REFERENCES[result.reference]}, gradient at the "
        f"prompt; the integrated one beside it has {result.steps} steps",
        "ablation: set to the probe-set mean, bootstrap intervals",
        f"control: {len(result.shuffled_significant)} label shuffles"
        + (f", {len(result.joint.control_drops)} random draws" if result.joint else ""),
    ]


def _rows(result: NeuronsResult) -> list[dict[str, Any]]:
    """The neurons shown, then the layers."""
    kinds = [("top", neuron) for neuron in result.top] + [("decoy", neuron) for neuron in result.decoys]
    rows = [_neuron_cells(kind, neuron) for kind, neuron in kinds]
    return rows + [
        {
            "what": f"layer {layer.layer}",
            "frozen": layer.frozen,
            "significant": layer.significant,
            "strongest_effect_bin": layer.effect_by_rank[0] if layer.effect_by_rank else None,
            "most_selective_bin": layer.auroc_by_rank[0] if layer.auroc_by_rank else None,
        }
        for layer in result.by_layer
    ]


def _neuron_cells(kind: str, neuron: NeuronRow) -> dict[str, Any]:
    ablation = neuron.ablation
    return {
        "what": kind,
        "neuron": neuron.name,
        "frozen": neuron.frozen,
        **interval_cells("effect", neuron.effect),
        "effect_integrated": neuron.effect_integrated,
        "disputed": neuron.disputed,
        **interval_cells("ablation_drop", ablation.drop if ablation else None),
        "flips": ablation.flips if ablation else None,
        "prompts": ablation.n if ablation else None,
        "auroc": neuron.auroc,
        "q_value": neuron.q_value,
        "mean_safe": neuron.mean_safe,
        "mean_unsafe": neuron.mean_unsafe,
        "tokens": context_cell(neuron.tokens),
    }


register(View(name="neurons", title="Neurons", suite="advanced", order=50, result=NeuronsResult, panels=panels))
