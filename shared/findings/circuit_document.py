"""The whole scored graph of a checkpoint's circuits as one JSON document, for other tools and for keeping.

Compact and self-describing: an edge is a place in a list, not an object, so that half a million of them are some
megabytes. "format" says how to read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import SchemaError
from shared.findings.circuits import node_names

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult
    from shared.results import ResultRecord

DIGITS = 5
"""Significant digits of a score; the tensors of the result hold float32."""
_EDGES = (
    "sources and targets name the nodes in the order in which they write and read. scores[i][k] is the score of "
    "the edge from sources[i] to targets[first_target[i] + k], null where it is not known; there is no edge to an "
    "earlier target. A score is in nats and class-signed: how much of the separation of unsafe and safe prompts is "
    "lost, to first order, when this edge alone carries its corrupted value (EAP-IG); positive edges carry the "
    "right verdict. smallest lists the edges of the smallest circuit found, as pairs [i, index into targets]."
)
_NODES = (
    "Edges of this family cannot be told apart, so nodes are scored: scores[i] is the score of sources[i] in nats, "
    "class-signed, null where it is not known. smallest lists the nodes of the smallest circuit found, as indices "
    "into sources."
)


def scored_graph(record: ResultRecord, result: CircuitsResult, tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The document. Raises SchemaError when the result's tensors are missing or of another shape."""
    names = node_names(result.layers, result.heads)
    scores, smallest = (_tensor(record, result, tensors, name) for name in ("scores", "smallest"))
    effects = {node.name: node.effect for node in result.nodes}
    graph = _by_edges(scores, smallest, result.heads) if result.level == "edges" else _by_nodes(scores, smallest)
    return {
        "format": f"midwatch circuit, version 1. {_EDGES if result.level == 'edges' else _NODES}",
        "provenance": _provenance(record),
        "level": result.level,
        "layers": result.layers,
        "heads": result.heads,
        "frozen_boundary": result.frozen_boundary,
        "method": {
            "scores": "EAP-IG (Hanna et al. 2024, arXiv 2403.17806)",
            "steps": result.steps,
            "outside_the_circuit": result.reference,
            "n": result.n,
            "n_pairs": result.n_pairs,
            "spearman_with_exact_patching": result.check,
            "n_checked": result.n_checked,
        },
        "mean_full": result.mean_full,
        "mean_empty": result.mean_empty,
        "cpr": result.cpr,
        "cmd": result.cmd,
        "random_cpr": result.random_cpr,
        "curve": [point.model_dump(mode="json") for point in result.curve],
        "smallest_circuit": None if result.smallest is None else result.smallest.model_dump(mode="json"),
        "keep": result.keep,
        "notes": result.notes,
        "sources": names[:-1],
        "targets": names[1:],
        "node_effects": [None if name not in effects else _short(effects[name]) for name in names],
        "total_edges": result.total_edges,
        **graph,
    }


def _tensor(
    record: ResultRecord, result: CircuitsResult, tensors: Mapping[str, np.ndarray], name: str
) -> np.ndarray:
    nodes = result.layers * (result.heads + 1) + 1
    shape = (nodes, nodes) if result.level == "edges" else (nodes,)
    found = tensors.get(name)
    if found is None or found.shape != shape:
        what = "missing" if found is None else f"of shape {found.shape}, not {shape}"
        raise SchemaError(
            f"The tensor {name!r} of the circuits result of {record.checkpoint} (key {record.key}) is {what}. "
            "Analyse the checkpoint again with --force."
        )
    return found


def _provenance(record: ResultRecord) -> dict[str, Any]:
    """Everything of the record but its payload: checkpoint, digests, settings, judge, versions, warnings."""
    return record.model_dump(mode="json", exclude={"payload", "summary"})


def _by_edges(scores: np.ndarray, smallest: np.ndarray, heads: int) -> dict[str, Any]:
    """Each source's row from its first edge on: all later targets read what it writes."""
    first = [_first_target(source, heads) for source in range(len(scores))]
    return {
        "first_target": first,
        "scores": [_shorts(row[start:]) for row, start in zip(scores, first, strict=True)],
        "smallest": np.argwhere(smallest).tolist(),
    }


def _first_target(source: int, heads: int) -> int:
    """The input is read by all, a head first by the MLP of its layer, an MLP by the next layer's heads."""
    if source == 0:
        return 0
    layer, place = divmod(source - 1, heads + 1)
    return layer * (heads + 1) + heads if place < heads else (layer + 1) * (heads + 1)


def _by_nodes(scores: np.ndarray, smallest: np.ndarray) -> dict[str, Any]:
    shown = scores.copy()
    shown[0] = np.nan  # the input is part of every circuit; what stands there is no score
    return {"scores": _shorts(shown), "smallest": np.flatnonzero(smallest).tolist()}


def _shorts(values: np.ndarray) -> list[float | None]:
    return [_short(value) for value in values.tolist()]


def _short(value: float) -> float | None:
    """`value` to DIGITS significant digits; None for NaN and infinities, which are not JSON."""
    return float(f"{value:.{DIGITS}g}") if abs(value) < float("inf") else None
