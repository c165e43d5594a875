"""The whole scored graph of a checkpoint's circuits as one JSON document, for other tools and for keeping.

Compact and self-describing: an edge is a place in a list, not an object, so that half a million of them are some
megabytes. "format" says how to read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import SchemaError
from shared.findings.circuits import NO_CLAIM, node_names
from shared.findings.claims import SEPARATION, nothing_to_explain

if TYPE_CHECKING:
    from shared.findings.circuits import CircuitsResult
    from shared.findings.parts import Part
    from shared.results import ResultRecord

DIGITS = 5
"""Significant digits of a score; the tensors of the result hold float32."""
_EDGES = (
    "sources and targets name the nodes in the order in which they write and read. scores[i][k] is the score of "
    "the edge from sources[i] to targets[first_target[i] + k], null where it is not known; there is no edge to an "
    "earlier target. A score is in nats and class-signed: how much of the separation of unsafe and safe prompts is "
    "lost, to first order, when this edge alone carries its corrupted value (EAP-IG); positive edges carry the "
    "right verdict. chosen is laid out alike: in how many of 100 resamples of the prompts an edge is among the "
    "first "
    "method.counted. smallest lists the edges of the smallest circuit that can be claimed, as pairs [i, index into "
    "targets]."
)
_NODES = (
    "Edges of this family cannot be told apart, so nodes are scored: scores[i] is the score of sources[i] in nats, "
    "class-signed, null where it is not known; chosen[i] is in how many of 100 resamples of the prompts it is "
    "among "
    "the first method.counted. smallest lists the nodes of the smallest circuit that can be claimed, as indices "
    "into "
    "sources."
)
_SHARES = (
    " kept is m(C) / m(full), the share of the separation of unsafe and safe prompts that a circuit keeps on "
    "prompts "
    "that its edges were not chosen on: 0 is none, below 0 it answers the other way. faithfulness, cpr, cmd and "
    "mib "
    "are of f = (m(C) - m(empty)) / (m(full) - m(empty)), of the way from the corrupted run's answer to the "
    "judge's "
    "own (MIB): with contrast twins f = (1 + kept) / 2, so that f = 0.5 keeps nothing, unless a decoder reads "
    "the words itself. left_without_the_encoder is then m(empty) / m(full), the share of the separation with "
    "every edge cut, and null otherwise."
)


def scored_graph(record: ResultRecord, result: CircuitsResult, tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The document. Raises SchemaError when the result's tensors are missing or of another shape."""
    names = node_names(result.layers, result.heads)
    scores, chosen, smallest = (_tensor(record, result, tensors, name) for name in ("scores", "chosen", "smallest"))
    effects = {node.name: node.effect for node in result.nodes}
    by_edges = result.level == "edges"
    graph = _by_edges(scores, chosen, smallest, result.heads) if by_edges else _by_nodes(scores, chosen, smallest)
    return {
        "format": f"midwatch circuit, version 2. {_EDGES if by_edges else _NODES}{_SHARES}",
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
            "n_scored": result.n_scored,
            "n_mib": result.n_mib,
            "n_curve": result.n_curve,
            "folds": result.folds,
            "resamples": result.resamples,
            "counted": result.counted,
            "spearman_with_exact_patching": _dumped(result.check),
            "n_checked": result.n_checked,
        },
        "claim": nothing_to_explain(result.explained, SEPARATION) or ("" if result.smallest else NO_CLAIM),
        "mean_full": _dumped(result.explained),
        "mean_empty": result.mean_empty,
        "left_without_the_encoder": _dumped(result.left),
        "cpr": result.cpr,
        "cmd": result.cmd,
        "random_cpr": result.random_cpr,
        "curve": [_dumped(point) for point in result.curve],
        "mib": [_dumped(point) for point in result.mib],
        "smallest_circuit": _dumped(result.smallest),
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


def _dumped(part: Part | None) -> Any:
    return None if part is None else part.model_dump(mode="json")


def _by_edges(scores: np.ndarray, chosen: np.ndarray, smallest: np.ndarray, heads: int) -> dict[str, Any]:
    """Each source's row from its first edge on: all later targets read what it writes."""
    first = [first_target(source, heads) for source in range(len(scores))]
    return {
        "first_target": first,
        "scores": [_shorts(row[start:]) for row, start in zip(scores, first, strict=True)],
        "chosen": [_hundredths(row[start:]) for row, start in zip(chosen, first, strict=True)],
        "smallest": np.argwhere(smallest).tolist(),
    }


def first_target(source: int, heads: int) -> int:
    """The input is read by all, a head first by the MLP of its layer, an MLP by the next layer's heads."""
    if source == 0:
        return 0
    layer, place = divmod(source - 1, heads + 1)
    return layer * (heads + 1) + heads if place < heads else (layer + 1) * (heads + 1)


def _by_nodes(scores: np.ndarray, chosen: np.ndarray, smallest: np.ndarray) -> dict[str, Any]:
    shown = scores.copy()
    shown[0] = np.nan  # the input is part of every circuit; what stands there is no score
    return {
        "scores": _shorts(shown),
        "chosen": _hundredths(chosen),
        "smallest": np.flatnonzero(smallest).tolist(),
    }


def _hundredths(shares: np.ndarray) -> list[int]:
    return np.rint(100 * np.nan_to_num(shares)).astype(int).tolist()


def _shorts(values: np.ndarray) -> list[float | None]:
    return [_short(value) for value in values.tolist()]


def _short(value: float) -> float | None:
    """`value` to DIGITS significant digits; None for NaN and infinities, which are not JSON."""
    return float(f"{value:.{DIGITS}g}") if abs(value) < float("inf") else None
