"""Circuits: through which edges the verdict is computed, how much of it they keep, and how much random ones do.

1. What there is to explain: m(full), the mean class-signed score, with its interval over independent groups of
   prompts. Where it may be chance, no circuit is looked for (`shared/findings/claims.py`).
2. Edge scores by EAP-IG (Hanna et al. 2024, arXiv 2403.17806), kept group by group: of the probe set from the
   passes shared with neurons and heads, of further contrast pairs from passes of their own
   (`analyzer/patching/pair_pass.py`).
3. Share of the separation kept, m(C) / m(full), of the best n edges at MIB's sizes, cross-fitted: edges chosen on
   all folds but the one that they are run on (`analyzer/circuits/crossfit.py`), each circuit really run
   (`analyzer/circuits/evaluator.py`), the strongest paths first (`masks.along_paths`), beside random circuits of as
   many edges (`analyzer/circuits/sizes.py`).
4. The smallest size that keeps a stated share of it, searched between those sizes; claimed only where its interval
   is clear of 0 and of the random ones on all prompts.
5. Each edge's confidence: in how many resamples of the prompts it is among the first n
   (`analyzer/circuits/choice.py`).
6. MIB's own curves and areas, of f = (m(C) - m(empty)) / (m(full) - m(empty)) (`analyzer/circuits/mib.py`).
7. Where a decoder reads the words itself: what is left of the separation with every edge of the encoder cut,
   really run. Where that may be as much as a circuit has to keep, none is looked for; else a circuit has to keep
   that, and the stated share of the rest.
8. The strongest edges patched one at a time: their rank correlation with the scores is published
   (`analyzer/circuits/exact_check.py`).

Where the edges of a family cannot be told apart, the same with nodes.

Summary: circuit_separation, circuit_edges, circuit_fraction, circuit_kept, circuit_kept_at_10, circuit_cpr,
circuit_cmd, circuit_random_cpr, circuit_left; only what is defined, and of circuits only what can be claimed.
Tensors: "scores"
(sources, targets) float32, NaN where there is no edge, "chosen" float32, the confidence, and "smallest" uint8 (at
node level each (sources,)).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.circuits.crossfit import CrossFit
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.exact_check import exact_check
from analyzer.circuits.masks import ranked
from analyzer.circuits.scored import Scored, scored
from analyzer.circuits.sizes import Limits, RunCircuits, run_circuits, to_keep
from analyzer.model.judge import known_wiring
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from analyzer.statistics.ties import largest_first
from shared.findings.circuits import CircuitEdge, CircuitNode, CircuitsResult
from shared.settings import Settings

SHOWN = 400
"""Most edges in the result itself; the tensors hold all."""
TENTH = 0.1
"""Share of the edges that the confidence is about where no smallest circuit can be claimed."""


class CircuitsSettings(Settings):
    """How circuits are found and tested."""

    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts of the probe set that edges are scored on, at most."""
    pairs: int = Field(128, ge=1, le=1024)
    """Aligned contrast pairs that edges are scored on, at most, those beside the probe set among them."""
    curve_prompts: int = Field(256, ge=2)
    """Prompts that circuits are run on, at most."""
    search_prompts: int = Field(64, ge=2)
    """Prompts that circuits of every size, and random ones, are run on, at most; those of the size that the
    headline names are run on all."""
    mib_prompts: int = Field(32, ge=2)
    """Prompts that MIB's curves and the check of single edges are run on, at most."""
    folds: int = Field(5, ge=2, le=20)
    """Folds of the prompts: edges are chosen on all but one, and run on that one."""
    resamples: int = Field(100, ge=20, le=1000)
    """Bootstrap draws of the prompts behind each edge's confidence."""
    keep: float = Field(0.8, gt=0, lt=1)
    """Share of the separation that the smallest circuit keeps."""
    checked: int = Field(10, ge=0, le=1000)
    """Strongest edges that are patched one at a time, to check the scores."""


@computes("circuits", CircuitsSettings, version=7)
def circuits(context: Context, settings: CircuitsSettings) -> Outcome:
    """Find and test the circuit of this checkpoint."""
    evaluator = CircuitEvaluator(context, settings.curve_prompts, wider=True)
    claimable = evaluator.explained.claimable
    found = scored(context, evaluator, settings.steps, settings.prompts, 2 * settings.pairs if claimable else 0)
    total = int(np.isfinite(found.scores.sums[0]).sum())
    fit = CrossFit(evaluator, found.scores, found.parts, settings.folds, settings.resamples, context.seed)
    left = evaluator.left if claimable else None
    limits = Limits(to_keep(settings.keep, left), settings.search_prompts, settings.mib_prompts)
    tested = run_circuits(fit, total, limits) if claimable and _needed(evaluator, settings.keep) else RunCircuits()
    mask = np.zeros(found.mean.shape, dtype=bool) if tested.mask is None else tested.mask
    counted = tested.smallest.edges if tested.smallest is not None else max(1, round(TENTH * total))
    chosen = fit.chosen.confidence(counted) if claimable else np.zeros(found.mean.shape)
    check, checked = (
        exact_check(evaluator, found, settings.checked, settings.mib_prompts) if claimable else (None, 0)
    )
    graph = evaluator.graph
    result = CircuitsResult(
        level="edges" if evaluator.by_edges else "nodes",
        layers=graph.layers,
        heads=graph.heads,
        frozen_boundary=context.frozen_boundary,
        reference=evaluator.references.kind,
        n=evaluator.references.n,
        n_pairs=evaluator.references.n_pairs if evaluator.references.kind == "twin" else 0,
        n_scored=int(found.scores.prompts.sum()),
        n_aligned=evaluator.aligned,
        folds=int(fit.fold.max()) + 1,
        resamples=fit.chosen.draws if claimable else 0,
        counted=counted,
        steps=settings.steps,
        keep=limits.keep if tested.curve else settings.keep,
        total_edges=total,
        explained=evaluator.explained,
        mean_empty=evaluator.empty if claimable else None,
        left=left,
        curve=tested.curve,
        mib=tested.mib.curve,
        n_mib=min(evaluator.references.n, settings.mib_prompts),
        n_curve=tested.n_curve,
        cpr=tested.mib.cpr,
        cmd=tested.mib.cmd,
        random_cpr=tested.random_cpr,
        smallest=tested.smallest,
        nodes=_nodes(context, found, graph),
        edges=_edges(found, graph, mask, chosen) if claimable else [],
        check=check,
        n_checked=checked,
        notes=_notes(context, evaluator),
    )
    tensors = {
        "scores": found.mean,
        "chosen": chosen.astype(np.float32),
        "smallest": mask.astype(np.uint8),
    }
    return Outcome(result, _summary(result), tensors)


def _needed(evaluator: CircuitEvaluator, keep: float) -> bool:
    """Whether the layers are needed for the verdict, so that a circuit of them can be told from none: where a
    decoder reads the words itself, they may not be."""
    if not evaluator.judge.anatomy.words_beside:
        return True
    return evaluator.left is not None and evaluator.left.high < keep


def _nodes(context: Context, found: Scored, graph: Graph) -> list[CircuitNode]:
    frozen, effects = context.frozen_boundary, found.nodes
    entry = float(np.nansum(found.mean[0])) if found.mean.ndim == 2 else 0.0
    nodes = [_node("input", "input", -1, None, bool(context.embeddings_frozen), entry)]
    for layer in range(graph.layers):
        first = graph.head_sources(layer).start
        nodes += [
            _node(f"L{layer}.H{head}", "head", layer, head, layer < frozen, float(effects[first + head]))
            for head in range(graph.heads)
        ]
        total = float(effects[graph.mlp_source(layer)])
        nodes.append(_node(f"L{layer}.MLP", "mlp", layer, None, layer < frozen, total))
    return [*nodes, _node("verdict", "verdict", graph.layers, None, False, 0.0)]


def _node(name: str, kind: str, layer: int, head: int | None, frozen: bool, effect: float) -> CircuitNode:
    return CircuitNode(name=name, kind=kind, layer=layer, head=head, frozen=frozen, effect=effect)  # type: ignore[arg-type]


def _edges(found: Scored, graph: Graph, smallest: np.ndarray, share: np.ndarray) -> list[CircuitEdge]:
    """The strongest, and the whole of the smallest circuit where it is no larger than what is shown."""
    chosen = [int(place) for place in ranked(found.mean, signed=False)[:SHOWN]]
    own = np.flatnonzero(smallest.ravel())
    if len(own) <= SHOWN:
        chosen = list(dict.fromkeys([*own.tolist(), *chosen]))[: max(SHOWN, len(own))]
    flat, inside = found.mean.ravel(), smallest.ravel()
    edges = []
    chosen = sorted(chosen)
    for place in np.array(chosen, dtype=int)[largest_first(np.abs(flat[chosen]))].tolist():
        by_edges = found.mean.ndim == 2
        source, target = divmod(place, found.mean.shape[1]) if by_edges else (place, graph.verdict)
        if not by_edges and source == 0:
            continue  # the input is no choice
        edges.append(
            CircuitEdge(
                source=graph.source_name(source),
                target=graph.target_name(target),
                score=float(flat[place]),
                in_smallest=bool(inside[place]),
                chosen=float(share.ravel()[place]),
            )
        )
    return edges


def _notes(context: Context, evaluator: CircuitEvaluator) -> list[str]:
    notes = [*context.judge.anatomy.notes, *evaluator.references.notes]
    if not evaluator.by_edges:
        described = context.judge.anatomy.described
        because = f", because {described.no_edges}" if described is not None and described.no_edges else ""
        notes.append(
            f"The inputs of single heads cannot be told apart in {context.judge.anatomy.family!r}{because}, so the "
            "circuit is made of whole nodes."
        )
    if not known_wiring(context.judge).has_neurons:
        notes.append("An MLP is a mixture of experts here and counts as one node: its experts are not told apart.")
    if evaluator.explained.reversed:
        notes.append("This judge answers the other way: edges that carry its verdict have negative scores.")
    return notes


def _summary(result: CircuitsResult) -> dict[str, float]:
    summary = {"circuit_separation": result.explained.size.value}
    if result.left is not None:
        summary["circuit_left"] = result.left.value
    if result.smallest is not None:
        circuit = result.smallest
        summary |= {"circuit_edges": float(circuit.edges), "circuit_fraction": circuit.fraction}
        summary["circuit_kept"] = circuit.kept.value
    for name, value in (("cpr", result.cpr), ("cmd", result.cmd), ("random_cpr", result.random_cpr)):
        if value is not None and np.isfinite(value):
            summary[f"circuit_{name}"] = value
    if result.curve:
        fractions = [point.fraction for point in result.curve]
        values = [point.kept.value for point in result.curve]
        summary["circuit_kept_at_10"] = float(np.interp(TENTH, fractions, values))
    return summary
