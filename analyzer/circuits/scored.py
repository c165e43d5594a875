"""Every edge's (or node's) scores, group by group: of the probe set, and of the contrast pairs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analyzer.patching.gradient_pass import shared_gradients
from analyzer.patching.pair_pass import pair_pass
from analyzer.patching.parts import PartScores, parts_of, together
from analyzer.patching.references import choose_wider

if TYPE_CHECKING:
    from analyzer.circuits.evaluator import CircuitEvaluator
    from analyzer.session.context import Context


@dataclass(frozen=True)
class Scored:
    """What circuits are made from."""

    scores: PartScores
    """Of edges, or at node level of nodes: there the input is not scored, and always comes first."""
    nodes: np.ndarray
    """(sources,) class-signed integrated effect of each node; 0 for the input."""
    parts: np.ndarray
    """(probes and further pairs,) part of each prompt."""

    @cached_property
    def mean(self) -> np.ndarray:
        """(sources, targets) or (sources,) float32 mean scores, NaN where there is no edge."""
        return self.scores.mean


def scored(context: Context, evaluator: CircuitEvaluator, steps: int, prompts: int, wider: int) -> Scored:
    """Score at most `prompts` prompts of the probe set, and with the further pairs `wider` aligned ones."""
    shared = shared_gradients(context, steps, prompts, edges=True)
    edges, nodes = shared.edges, shared.nodes
    parts = parts_of(evaluator.probes, evaluator.graph.allowed.size)
    references = choose_wider(context, wider) if wider else shared.references
    twins = references.kind == shared.references.kind == "twin"
    left = np.flatnonzero(~np.isin(references.indices, shared.references.indices))
    if references.kind == "twin" and not twins:  # too few pairs in the probe set alone: nothing of it can be used
        edges, nodes = pair_pass(context, references, evaluator.encoded, parts, steps)
    elif twins and len(left):
        more = pair_pass(context, references.part(left), evaluator.encoded, parts, steps)
        edges = None if edges is None or more[0] is None else together(edges, more[0])
        nodes = together(nodes, more[1])
    if evaluator.by_edges and edges is not None:
        return Scored(edges, nodes.mean, parts)
    return Scored(_with_input(nodes), nodes.mean, parts)


def _with_input(nodes: PartScores) -> PartScores:
    """Without the input there is no circuit: it comes before every node, in every part."""
    sums = nodes.sums.copy()
    sums[:, 0] = (float(np.abs(sums).sum(0).max()) + 1.0) * nodes.prompts
    return PartScores(nodes.numbers, sums, nodes.prompts)
