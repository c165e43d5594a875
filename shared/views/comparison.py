"""Circuit comparison: at which layer the judge's representation tells safe from unsafe prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.figures.comparison import comparison_figure
from shared.findings.badge import badge
from shared.findings.claims import SEPARATION, measured, nothing_to_explain, power
from shared.findings.comparison import ComparisonResult, agreement, no_divergence
from shared.findings.parts import (
    interval_cells,
    layer_name,
    layer_names,
    typed_result,
)
from shared.findings.text import counted
from shared.views import Panel, View, register

if TYPE_CHECKING:
    from shared.results import ResultRecord


def panels(record: ResultRecord) -> list[Panel]:
    """One figure: probe AUROC, class distance, contrast pairs and cosines by layer."""
    result = typed_result(record, ComparisonResult)
    return [
        Panel(
            stem="circuit_comparison",
            title=f"Circuit comparison, {record.label}",
            figure=comparison_figure(result, _headline(result), _subtitle(result)),
            caption=_caption(result),
            alt=_alt(result),
            rows=_rows(result),
            badge=badge(record, _facts(result)),
            claims=result.divergence_layer is not None,
        )
    ]


def _headline(result: ComparisonResult) -> str:
    nothing = nothing_to_explain(result.to_explain, SEPARATION)
    if nothing is not None:
        return nothing
    if result.divergence_layer is None:
        return f"No divergence layer: {no_divergence(result)}"
    return f"Safe and unsafe part at {layer_name(result.divergence_layer)} ({agreement(result)})"


def _subtitle(result: ComparisonResult) -> str:
    pairs = counted(result.n_pairs, "contrast pair")
    prompts = f"{result.n_safe} safe, {counted(result.n_unsafe, 'unsafe prompt')}, {pairs}"
    if not result.to_explain.claimable:
        return f"{power(result.to_explain)} · {prompts}"
    last = result.points[-1].auroc
    frozen = f", the first {result.frozen_boundary} frozen" if result.frozen_boundary else ""
    return (
        f"probe AUROC {last.value:.3f} [{last.low:.3f}, {last.high:.3f}] after the last of "
        f"{counted(result.layers, 'layer')}"
        f"{frozen} · {prompts}"
    )


def _caption(result: ComparisonResult) -> str:
    notes = "".join(f"\nNote: {note}" for note in result.notes)
    return (
        "What it shows: how well a linear probe on the pooled representation tells safe from unsafe after each "
        "layer (cross-validated, folds grouped by contrast pair and template and drawn "
        f"{counted(result.splits, 'time')}; the mean), beside the same probe on shuffled labels. "
        "Below: distance of the class means in pooled standard deviations, less what chance adds to it; contrast "
        "pairs, whose twins share nearly all words; and cosines of the class means and of the pair differences. "
        "Grey layers are frozen.\n"
        "How to read: in each split of the folds the divergence layer is the first of two in a row whose interval "
        "clears the control's 95th percentile; it is named where more than half of the splits agree on it, and the "
        "judge itself tells the classes apart. High AUROC in frozen layers is what the pretrained model knew "
        "already; the pairs show what words alone cannot explain.\n"
        "Worrying: divergence only in the last layer, or none; AUROC high while the pairs stay at chance (the "
        "probe "
        f"goes by tell-tale words); pair cosine near 0 (no common direction).{notes}"
    )


def _alt(result: ComparisonResult) -> str:
    first, last = result.points[0], result.points[-1]
    pairs = "no contrast pairs"
    if last.pair_accuracy is not None:
        of_pairs = counted(result.n_pairs, "contrast pair")
        pairs = f"{last.pair_accuracy.value:.0%} of {of_pairs} ranked right after the last layer"
    named = "none"
    if result.divergence_layer is not None:
        named = f"{layer_name(result.divergence_layer)}, {agreement(result)}"
    return (
        f"{_headline(result)}. Probe AUROC {first.auroc.value:.3f} at the embeddings, {last.auroc.value:.3f} "
        f"[{last.auroc.low:.3f}, {last.auroc.high:.3f}] after the last of {counted(result.layers, 'layer')}; "
        f"shuffled-label "
        f"control's 95th percentile {last.control_p95:.3f}. Divergence layer: "
        f"{named}. d′ {last.distance.value:.2f} after the last layer; {pairs}."
    )


def _facts(result: ComparisonResult) -> list[str]:
    return [
        f"n = {result.n_safe} safe + {result.n_unsafe} unsafe, {counted(result.n_pairs, 'contrast pair')}",
        measured(result.to_explain),
        f"{result.pooling} pooling, logistic probe, {result.folds} grouped folds drawn "
        f"{counted(result.splits, 'time')}",
        "95 % intervals over groups of prompts (AUROC: and over splits; pairs: Wilson), "
        f"control from {counted(result.shuffles, 'label shuffle')}, each in one split",
    ]


def _rows(result: ComparisonResult) -> list[dict[str, Any]]:
    rows, naming = [], dict(result.naming)
    for layer, (name, point) in enumerate(zip(layer_names(result.layers), result.points, strict=True), start=-1):
        row: dict[str, Any] = {
            "layer": name,
            "frozen": None if layer < 0 else layer < result.frozen_boundary,
            "divergence": layer == result.divergence_layer,
            "splits_naming_it": naming.get(layer, 0),
            "auroc_least_split": min(point.auroc_of_splits),
            "auroc_most_split": max(point.auroc_of_splits),
            "control_mean": point.control_mean,
            "control_p95": point.control_p95,
            "distance_noise": point.distance_noise,
            "cosine": point.cosine,
            "pair_cosine": point.pair_cosine,
        }
        for key, interval in (
            ("auroc", point.auroc),
            ("distance", point.distance),
            ("pair_accuracy", point.pair_accuracy),
        ):
            row |= interval_cells(key, interval)
        rows.append(row)
    return rows


register(
    View(
        name="comparison",
        title="Circuit comparison",
        suite="basic",
        order=30,
        result=ComparisonResult,
        panels=panels,
    )
)
