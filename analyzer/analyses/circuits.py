"""Circuits: through which edges the verdict is computed, how much of it they keep, and how much random ones do.

1. Edge scores by EAP-IG (Hanna et al. 2024, arXiv 2403.17806), from the passes shared with neurons and heads.
2. Faithfulness (m(C) - m(empty)) / (m(full) - m(empty)) of the n best edges at MIB's sizes (Mueller et al. 2025,
   arXiv 2504.13151), each circuit really run (`analyzer/circuits/evaluator.py`): the strongest paths first
   (`masks.along_paths`), by signed score for CPR, by magnitude for CMD, beside random circuits of as many edges.
   CPR is the area under the first over the share of edges, from 0 to 1 by trapezoids, CMD that of |1 - f| of the
   second.
3. The smallest circuit that keeps a stated share, searched between those sizes, pruned to paths from input to
   verdict, which changes nothing.
4. The strongest edges patched one at a time: their rank correlation with the scores is published.

Where the edges of a family cannot be told apart, the same with nodes.

Summary: circuit_edges, circuit_fraction, circuit_faithfulness_at_10, circuit_cpr, circuit_cmd, circuit_random_cpr;
only what is defined. Tensors: "scores" (sources, targets) float32, NaN where there is no edge, and "smallest" uint8
(at node level both (sources,)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from analyzer.analyses import Outcome, computes
from analyzer.circuits.evaluator import CircuitEvaluator, Evaluation
from analyzer.circuits.masks import (
    along_paths,
    area,
    circuit_sizes,
    mask_of_first,
    nodes_on,
    on_paths,
    random_masks,
    ranked,
)
from analyzer.patching.gradient_pass import GradientPass, shared_gradients
from analyzer.patching.graph import Graph
from analyzer.session.context import Context
from analyzer.statistics.ranks import spearman
from analyzer.statistics.ties import largest_first
from shared.findings.circuits import CircuitEdge, CircuitNode, CircuitsResult, CurvePoint, SmallestCircuit
from shared.settings import Settings

SHOWN = 400
"""Most edges in the result itself; the tensors hold all."""
WEAK = 0.1
"""Separation, nats, below which circuits are about next to nothing."""


class CircuitsSettings(Settings):
    """How circuits are found and tested."""

    steps: int = Field(5, ge=1)
    """Steps of the integrated gradient."""
    prompts: int = Field(128, ge=2)
    """Prompts that edges are scored on, at most."""
    curve_prompts: int = Field(32, ge=2)
    """Prompts that circuits are run on, at most."""
    keep: float = Field(0.8, gt=0, lt=1)
    """Share of the separation that the smallest circuit keeps."""
    random: int = Field(5, ge=1, le=100)
    """Random circuits of each size, the control."""
    checked: int = Field(10, ge=0, le=1000)
    """Strongest edges that are patched one at a time, to check the scores."""


@dataclass
class Search:
    """Scores, the evaluator, and every circuit that has been run."""

    scores: np.ndarray
    evaluator: CircuitEvaluator
    settings: CircuitsSettings
    random: np.random.Generator

    def __post_init__(self) -> None:
        self.signed, self.magnitude = along_paths(self.scores, signed=True), along_paths(self.scores, signed=False)
        self.strongest = ranked(self.scores, signed=False)
        self.total = len(self.signed)

    def mask(self, count: int, *, signed: bool = True) -> np.ndarray:
        return mask_of_first(self.signed if signed else self.magnitude, count, self.scores.shape)

    def faithful(self, count: int) -> float:
        return self.evaluator.evaluate(self.mask(count)).faithfulness

    def control(self, count: int) -> list[float]:
        """Faithfulness of random circuits of `count` edges."""
        masks = random_masks(self.scores, count, self.settings.random, self.random)
        return [found.faithfulness for found in self.evaluator.evaluate_all(masks)]


@computes("circuits", CircuitsSettings, version=3)
def circuits(context: Context, settings: CircuitsSettings) -> Outcome:
    """Find and test the circuit of this checkpoint."""
    evaluator = CircuitEvaluator(context, settings.curve_prompts)
    found = shared_gradients(context, settings.steps, settings.prompts, edges=True)
    graph = evaluator.graph
    scores = found.edges if evaluator.by_edges and found.edges is not None else node_scores(found, graph)
    search = Search(scores, evaluator, settings, np.random.default_rng(context.seed))
    curve = _curve(search) if evaluator.something_to_keep else []
    smallest, mask = _smallest(search, curve)
    check, checked = _check(search)
    result = CircuitsResult(
        level="edges" if evaluator.by_edges else "nodes",
        layers=graph.layers,
        heads=graph.heads,
        frozen_boundary=context.frozen_boundary,
        reference=found.references.kind,
        n=evaluator.references.n,
        n_pairs=evaluator.references.n_pairs if found.references.kind == "twin" else 0,
        steps=settings.steps,
        keep=settings.keep,
        total_edges=search.total,
        mean_full=evaluator.full,
        mean_empty=evaluator.empty,
        curve=curve,
        cpr=_area(curve, [point.faithfulness for point in curve]),
        cmd=_area(curve, [abs(1 - point.by_magnitude) for point in curve], start=1.0),
        random_cpr=_area(curve, [_mean(point.random) if point.random else point.faithfulness for point in curve]),
        smallest=smallest,
        nodes=_nodes(context, found, graph),
        edges=_edges(search, graph, mask),
        check=check,
        n_checked=checked,
        notes=_notes(context, evaluator, found),
    )
    tensors = {"scores": scores.astype(np.float32), "smallest": mask.astype(np.uint8)}
    return Outcome(result, _summary(result), tensors)


def node_scores(found: GradientPass, graph: Graph) -> np.ndarray:
    """(sources,) class-signed integrated effect of each node; the input's is not scored, and always kept last."""
    scores = np.full(graph.sources, np.nan, dtype=np.float32)
    for layer in range(graph.layers):
        scores[graph.head_sources(layer)] = found.heads.integrated[layer]
        scores[graph.mlp_source(layer)] = found.neurons.integrated[layer].sum()
    scores[0] = float(np.nanmax(np.abs(scores))) + 1.0  # without the input there is no circuit
    return scores


def _curve(search: Search) -> list[CurvePoint]:
    """Every size: signed, by magnitude, random; all in one sweep over the prompts."""
    counts = circuit_sizes(search.total)
    masks, owners = [], []
    for count in counts:
        whole = count == search.total
        own = [search.mask(count), search.mask(count, signed=False)]
        own += [] if whole else random_masks(search.scores, count, search.settings.random, search.random)
        masks += own
        owners += [count] * len(own)
    found: dict[int, list[Evaluation]] = {}
    for owner, evaluation in zip(owners, search.evaluator.evaluate_all(masks), strict=True):
        found.setdefault(owner, []).append(evaluation)
    return [_point(count, count / search.total, found[count]) for count in counts]


def _point(count: int, fraction: float, found: list[Evaluation]) -> CurvePoint:
    signed, magnitude, *random = found
    return CurvePoint(
        fraction=fraction,
        edges=count,
        faithfulness=signed.faithfulness,
        low=signed.low,
        high=signed.high,
        by_magnitude=magnitude.faithfulness,
        random=[each.faithfulness for each in random],
    )


def _smallest(search: Search, curve: list[CurvePoint]) -> tuple[SmallestCircuit | None, np.ndarray]:
    """Between the last size that keeps too little and the first that keeps enough, by halving on a log scale."""
    nothing = np.zeros(search.scores.shape, dtype=bool)
    enough = next((point for point in curve if point.faithfulness >= search.settings.keep), None)
    if enough is None or enough.edges == search.total:
        return None, nothing
    high = enough.edges
    low = max((point.edges for point in curve if point.edges < high), default=0)
    while high - low > max(1, high // 20):
        middle = max(low + 1, round(np.sqrt(max(low, 1) * high)))
        if middle >= high:
            break
        if search.faithful(middle) >= search.settings.keep:
            high = middle
        else:
            low = middle
    mask = search.mask(high)
    if search.evaluator.by_edges:
        mask = on_paths(mask, search.evaluator.graph)
    count = int(mask.sum())
    found = SmallestCircuit(
        edges=count,
        fraction=count / search.total,
        faithfulness=search.evaluator.evaluate(mask).faithfulness,
        nodes=nodes_on(mask) if search.evaluator.by_edges else int(mask[1:].sum()),
        random=search.control(count),
    )
    return found, mask


def _check(search: Search) -> tuple[float | None, int]:
    """Rank correlation of the strongest edges' scores with what is lost when each alone is corrupted."""
    chosen = search.strongest[: search.settings.checked]
    if search.scores.ndim == 1:
        chosen = [place for place in chosen if place != 0]
    if not len(chosen) or not search.evaluator.something_to_keep:
        return None, 0
    everything = np.isfinite(search.scores)
    masks = []
    for place in chosen:
        mask = everything.copy()
        mask.flat[place] = False
        masks.append(mask)
    lost = [search.evaluator.full - found.mean for found in search.evaluator.evaluate_all(masks)]
    return spearman(search.scores.ravel()[list(chosen)].tolist(), lost), len(chosen)


def _area(curve: list[CurvePoint], values: list[float], start: float = 0.0) -> float | None:
    if not curve:
        return None
    fractions = np.array([0.0, *(point.fraction for point in curve)])
    return area(fractions, np.array([start, *values]))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _nodes(context: Context, found: GradientPass, graph: Graph) -> list[CircuitNode]:
    frozen = context.frozen_boundary
    nodes = [_node("input", "input", -1, None, bool(context.embeddings_frozen), 0.0)]
    if found.edges is not None:
        nodes = [
            _node("input", "input", -1, None, bool(context.embeddings_frozen), float(np.nansum(found.edges[0])))
        ]
    for layer in range(graph.layers):
        effects = found.heads.integrated[layer]
        nodes += [
            _node(f"L{layer}.H{head}", "head", layer, head, layer < frozen, float(effects[head]))
            for head in range(graph.heads)
        ]
        total = float(found.neurons.integrated[layer].sum())
        nodes.append(_node(f"L{layer}.MLP", "mlp", layer, None, layer < frozen, total))
    return [*nodes, _node("verdict", "verdict", graph.layers, None, False, 0.0)]


def _node(name: str, kind: str, layer: int, head: int | None, frozen: bool, effect: float) -> CircuitNode:
    return CircuitNode(name=name, kind=kind, layer=layer, head=head, frozen=frozen, effect=effect)  # type: ignore[arg-type]


def _edges(search: Search, graph: Graph, smallest: np.ndarray) -> list[CircuitEdge]:
    """The strongest, and the whole of the smallest circuit where it is no larger than what is shown."""
    chosen = [int(place) for place in search.strongest[:SHOWN]]
    own = np.flatnonzero(smallest.ravel())
    if len(own) <= SHOWN:
        chosen = list(dict.fromkeys([*own.tolist(), *chosen]))[: max(SHOWN, len(own))]
    flat, inside = search.scores.ravel(), smallest.ravel()
    edges = []
    chosen = sorted(chosen)
    for place in np.array(chosen, dtype=int)[largest_first(np.abs(flat[chosen]))].tolist():
        source, target = (
            divmod(place, search.scores.shape[1]) if search.scores.ndim == 2 else (place, graph.verdict)
        )
        if search.scores.ndim == 1 and source == 0:
            continue  # the input is no choice
        edges.append(
            CircuitEdge(
                source=graph.source_name(source),
                target=graph.target_name(target),
                score=float(flat[place]),
                in_smallest=bool(inside[place]),
            )
        )
    return edges


def _notes(context: Context, evaluator: CircuitEvaluator, found: GradientPass) -> list[str]:
    notes = [*context.judge.anatomy.notes, *found.references.notes]
    if not evaluator.by_edges:
        notes.append(
            f"The inputs of single heads cannot be told apart in {context.judge.anatomy.family!r}, so the circuit "
            "is made of whole nodes."
        )
    if not evaluator.something_to_keep:
        notes.append("The judge separates its prompts no better than the corrupted run: there is nothing to keep.")
    elif abs(evaluator.full - evaluator.empty) < WEAK:
        gap = evaluator.full - evaluator.empty
        notes.append(f"The judge hardly separates these prompts ({gap:+.3f} nats): what a circuit keeps is little.")
    return notes


def _summary(result: CircuitsResult) -> dict[str, float]:
    summary: dict[str, float] = {}
    if result.smallest is not None:
        summary |= {"circuit_edges": float(result.smallest.edges), "circuit_fraction": result.smallest.fraction}
    for name, value in (("cpr", result.cpr), ("cmd", result.cmd), ("random_cpr", result.random_cpr)):
        if value is not None and np.isfinite(value):
            summary[f"circuit_{name}"] = value
    if result.curve:
        fractions = [point.fraction for point in result.curve]
        values = [point.faithfulness for point in result.curve]
        summary["circuit_faithfulness_at_10"] = float(np.interp(0.1, fractions, values))
    return summary
