"""One row a layer of a checkpoint: how classes part there, the score read early, sizes, change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.findings.comparison import ComparisonResult
from shared.findings.evolution import EvolutionResult
from shared.findings.layers import LayersResult
from shared.findings.neurons import NeuronsResult
from shared.findings.parts import EMBEDDINGS, interval_cells
from shared.tables.parts import CheckpointResults, Column, Columns, Table, from_rows, interval_columns


def _rows(results: CheckpointResults) -> Columns:
    compared, flow = results.typed("comparison", ComparisonResult), results.typed("layers", LayersResult)
    evolved = results.typed("evolution", EvolutionResult)
    known = compared or flow or evolved
    if known is None:
        return {}
    sizes = {name: _mean_over_prompts(values) for name, values in results.tensors("layers").items()}
    significant = _significant(results.typed("neurons", NeuronsResult))
    rows = []
    for place, layer in enumerate(range(EMBEDDINGS, known.layers)):
        row: dict[str, Any] = {"layer": layer, "frozen": _is_frozen(layer, known.frozen_boundary, flow)}
        row |= _parting(compared, place, layer) | _lens(flow, place) | _written(sizes, place)
        row |= _change(evolved, place) | {"significant_neurons": significant.get(layer)}
        rows.append(row)
    return from_rows(rows)


def _is_frozen(layer: int, boundary: int, flow: LayersResult | None) -> bool | None:
    if layer == EMBEDDINGS:
        return flow.embeddings_frozen if flow else None
    return layer < boundary


def _parting(result: ComparisonResult | None, place: int, layer: int) -> dict[str, Any]:
    if result is None:
        return {}
    point = result.points[place]
    return {
        **interval_cells("distance", point.distance),
        "distance_noise": point.distance_noise,
        "cosine": point.cosine,
        **interval_cells("probe_auroc", point.auroc),
        "control_mean": point.control_mean,
        "control_p95": point.control_p95,
        "pair_cosine": point.pair_cosine,
        **interval_cells("pairs_ranked_right", point.pair_accuracy),
        "divergence": result.divergence_layer == layer,
    }


def _lens(result: LayersResult | None, place: int) -> dict[str, Any]:
    bands = result.bands if result else []
    return {
        name: value
        for band in bands
        for name, value in interval_cells(f"lens_{band.label}", band.score[place]).items()
    }


def _written(sizes: Mapping[str, np.ndarray], place: int) -> dict[str, Any]:
    """What attention and MLP add has no entry for the embeddings."""
    found: dict[str, Any] = {}
    if "residual_norms" in sizes:
        found["residual_norm"] = float(sizes["residual_norms"][place])
    for name, tensor in (("attention_write", "attention_writes"), ("mlp_write", "mlp_writes")):
        if tensor in sizes and place > 0:
            found[name] = float(sizes[tensor][place - 1])
    return found


def _mean_over_prompts(values: np.ndarray) -> np.ndarray:
    """(prompts, places) -> (places,); prompts that were left out are NaN."""
    return np.nanmean(values.astype(np.float64), axis=0)


def _change(result: EvolutionResult | None, place: int) -> dict[str, Any]:
    def at(values: Sequence[float] | None) -> float | None:
        return values[place] if values else None

    return {"cka_previous": at(result.cka_to_previous), "cka_first": at(result.cka_to_first)} if result else {}


def _significant(result: NeuronsResult | None) -> dict[int, int]:
    return {each.layer: each.significant for each in result.by_layer} if result else {}


LAYERS = Table(
    "layers",
    "a layer of a checkpoint",
    (
        Column("layer", "integer", "Layer, from 0; -1 for the embeddings"),
        Column("frozen", "truth", "Whether its parameters are frozen"),
        *interval_columns("distance", "d' between the class means of the pooled representation, less its bias"),
        Column("distance_noise", "number", "95th percentile of d' under shuffled labels"),
        Column("cosine", "number", "Cosine of the class means, -1 to 1"),
        *interval_columns("probe_auroc", "Cross-validated AUROC of a linear probe, 0 to 1"),
        Column("control_mean", "number", "Mean AUROC of the same probe with shuffled labels"),
        Column("control_p95", "number", "95th percentile of the same"),
        Column("pair_cosine", "number", "Mean cosine of each contrast pair's difference with that of the others"),
        *interval_columns("pairs_ranked_right", "Share of contrast pairs whose unsafe twin the probe ranks higher"),
        Column("divergence", "truth", "Whether this is the divergence layer"),
        *interval_columns("lens_safe", "Score read early at this layer (logit lens), mean of safe prompts, nats"),
        *interval_columns("lens_unsafe", "The same of unsafe prompts, nats"),
        Column("residual_norm", "number", "L2 norm of the residual stream, mean over probe prompts and tokens"),
        Column("attention_write", "number", "L2 norm of what attention adds, likewise"),
        Column("mlp_write", "number", "L2 norm of what the MLP adds, likewise"),
        Column("cka_previous", "number", "Linear CKA (unbiased) with the checkpoint before, at most 1"),
        Column("cka_first", "number", "The same with the first checkpoint"),
        Column("significant_neurons", "integer", "Neurons that tell the classes apart at a false-discovery rate"),
    ),
    _rows,
)
