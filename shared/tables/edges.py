"""One row an edge of a checkpoint's scored graph; of judges whose edges cannot be told apart, one a node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shared.findings.circuit_document import first_target
from shared.findings.circuits import CircuitsResult, node_names
from shared.tables.parts import CheckpointResults, Column, Columns, Table


def _rows(results: CheckpointResults) -> Columns:
    result = results.typed("circuits", CircuitsResult)
    if result is None:
        return {}
    tensors = results.tensors("circuits")
    if {"scores", "chosen", "smallest"} <= tensors.keys():
        return _of_tensors(result, tensors)
    edges = result.edges
    return {
        "source": [edge.source for edge in edges],
        "target": [edge.target for edge in edges],
        "score": [edge.score for edge in edges],
        "chosen": [edge.chosen for edge in edges],
        "in_smallest": [edge.in_smallest for edge in edges],
    }


def _of_tensors(result: CircuitsResult, tensors: Mapping[str, np.ndarray]) -> Columns:
    """Every edge that exists and has a score: from what is written to what is read later."""
    names = node_names(result.layers, result.heads)
    scores = tensors["scores"]
    known = np.isfinite(scores)
    if scores.ndim == 2:
        first = np.array([first_target(source, result.heads) for source in range(len(scores))])
        known &= np.arange(scores.shape[1]) >= first[:, None]
        sources, targets = np.nonzero(known)
        target_names = [names[place + 1] for place in targets]
    else:
        known[0] = False  # the input is part of every circuit; what stands there is no score
        (sources,) = np.nonzero(known)
        target_names = ["verdict"] * len(sources)
    return {
        "source": [names[place] for place in sources],
        "target": target_names,
        "score": scores[known],
        "chosen": tensors["chosen"][known],
        "in_smallest": tensors["smallest"][known].astype(bool),
    }


EDGES = Table(
    "edges",
    "an edge of a checkpoint's circuit graph",
    (
        Column("source", "text", "What writes: input, L3.H5 or L3.MLP"),
        Column("target", "text", "What reads, likewise, or verdict; always verdict where nodes are scored"),
        Column("score", "number", "Class-signed EAP-IG score, nats of separation"),
        Column("chosen", "number", "Share of resamples of the prompts that choose it with the same sign, 0 to 1"),
        Column("in_smallest", "truth", "Whether it belongs to the smallest circuit that can be claimed"),
    ),
    _rows,
)
