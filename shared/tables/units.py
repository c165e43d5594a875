"""One row a neuron or head of a checkpoint: what it tells, its effect by attribution, what is lost without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.findings.heads import HeadRow, HeadsResult
from shared.findings.neurons import NeuronRow, NeuronsResult
from shared.findings.parts import interval_cells
from shared.tables.parts import CheckpointResults, Column, Columns, Table, interval_columns

NAMED = ("auroc", "effect", "effect_error", "effect_integrated")
"""Tensors (layers, units) that are columns as they are."""


def _rows(results: CheckpointResults) -> Columns:
    neurons, heads = results.typed("neurons", NeuronsResult), results.typed("heads", HeadsResult)
    parts = []
    if neurons is not None:
        shown = [*neurons.top, *neurons.decoys]
        tensors = results.tensors("neurons")
        parts.append(_part("neuron", tensors, shown, neurons.layers, neurons.frozen_boundary))
    if heads is not None:
        parts.append(_part("head", results.tensors("heads"), heads.top, heads.layers, heads.frozen_boundary))
    filled = [part for part in parts if part]
    names = dict.fromkeys(name for part in filled for name in part)
    return {name: _joined(filled, name) for name in names}


def _joined(parts: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """A column of all parts; empty for the units of one that has no such column."""
    found: list[Any] = []
    for part in parts:
        values = part.get(name, [None] * len(part["layer"]))
        found += values.tolist() if isinstance(values, np.ndarray) else values
    return found


def _part(
    kind: str, tensors: Mapping[str, np.ndarray], shown: Sequence[NeuronRow | HeadRow], layers: int, frozen: int
) -> dict[str, Any]:
    """Every unit of one kind; without tensors those that the result itself holds."""
    removed = {(row.layer, row.neuron if isinstance(row, NeuronRow) else row.head): row for row in shown}
    if "effect" in tensors:
        units = tensors["effect"].shape[1]
        layer, unit = (axis.ravel() for axis in np.indices((layers, units)))
        found = {name: tensors[name].ravel() for name in NAMED if name in tensors}
        found |= _verdicts(tensors)
    else:
        layer, unit = np.array(list(removed), dtype=np.int64).reshape(-1, 2).T
        found = {"effect": [row.effect.value for row in removed.values()]}
    letter = "N" if kind == "neuron" else "H"
    rows = [_cells(removed.get(place)) for place in zip(layer.tolist(), unit.tolist(), strict=True)]
    return {
        "kind": [kind] * len(layer),
        "unit": [f"L{one}.{letter}{other}" for one, other in zip(layer, unit, strict=True)],
        "layer": layer,
        "index": unit,
        "frozen": layer < frozen,
        **found,
        **{name: [row.get(name) for row in rows] for name in _REMOVED},
    }


def _verdicts(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "q" in tensors:
        found["q_value"] = tensors["q"].ravel()
    for name in ("significant", "with_effect"):
        if name in tensors:
            found[name] = tensors[name].ravel().astype(bool)
    if "carries" in tensors:
        found["carries"] = [None if value < 0 else bool(value) for value in tensors["carries"].ravel().tolist()]
    return found


_REMOVED = (
    "lost", "lost_low", "lost_high", "lost_share", "lost_share_low", "lost_share_high", "flips", "tokens",
)  # fmt: skip


def _cells(row: NeuronRow | HeadRow | None) -> dict[str, Any]:
    """What is known of a unit that was really removed."""
    if row is None:
        return {}
    words = [each.token for each in (row.tokens if isinstance(row, NeuronRow) else row.attends)]
    return {
        **interval_cells("lost", row.ablation.drop),
        **interval_cells("lost_share", row.ablation.share),
        "flips": row.ablation.flips,
        "tokens": " ".join(word.strip() for word in words),
    }


UNITS = Table(
    "units",
    "a neuron or attention head of a checkpoint",
    (
        Column("kind", "text", "neuron or head"),
        Column("unit", "text", "Its name: L4.N7 or L3.H5"),
        Column("layer", "integer", "Layer, from 0"),
        Column("index", "integer", "Place in the layer, from 0"),
        Column("frozen", "truth", "Whether its layer is frozen"),
        Column("effect", "number", "Class-signed effect by attribution patching, nats of separation"),
        Column("effect_error", "number", "Standard error of `effect`; neurons only"),
        Column("effect_integrated", "number", "The same effect by integrated gradients"),
        Column("auroc", "number", "How well a neuron alone tells unsafe from safe, 0 to 1; 0.5 is chance"),
        Column("q_value", "number", "Mann-Whitney p, Benjamini-Hochberg over all neurons"),
        Column("significant", "truth", "Whether `q_value` is within the false-discovery rate"),
        Column("with_effect", "truth", "Whether it is significant with an effect beyond two standard errors"),
        Column("carries", "truth", "Whether removal says that it carries the verdict; empty where not removed"),
        *interval_columns(
            "lost", "Separation lost when it alone is set to its mean, nats; empty where not removed"
        ),
        *interval_columns("lost_share", "The same as a share of the separation"),
        Column("flips", "integer", "Verdicts that change then"),
        Column("tokens", "text", "Tokens that a shown neuron is active on, or that a shown head looks for"),
    ),
    _rows,
)
