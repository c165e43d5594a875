"""Made-up but realistic results of the analysis `circuits`, and the tensors that go with them.

A few nodes write and read much, most hardly anything, so that few edges hold most of the score; the same ones do so
at every epoch, with some noise, so that circuits overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from analyzer.patching.graph import Graph
from shared.findings.circuits import (
    CircuitEdge,
    CircuitNode,
    CircuitsResult,
    CurvePoint,
    Level,
    MibPoint,
    SmallestCircuit,
)
from shared.findings.claims import ToExplain
from shared.findings.parts import Interval
from tests.making.fake_neurons import PROMPTS, Tensors

SHOWN, KEEP, DRAWS = 400, 0.8, 5
SIZES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def fake_circuits(
    learnt: float,
    layers: int,
    frozen: int,
    *,
    heads: int = 12,
    seed: int = 0,
    noise: int = 0,
    level: Level = "edges",
) -> tuple[CircuitsResult, Tensors]:
    """A result and its tensors; `learnt` in [0, 1]."""
    fixed, fresh = np.random.default_rng([seed, 97]), np.random.default_rng([seed, noise, 98])
    graph = Graph(layers, heads)
    scores = _edge_scores(graph, learnt, frozen, fixed, fresh)
    if level == "nodes":
        scores = np.nansum(scores, axis=1).astype(np.float32)
    order = np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), axis=None, kind="stable")
    total = int(np.isfinite(scores).sum())
    order = order[:total]
    kept = _kept(scores.ravel()[order], learnt, fresh)
    count = int(np.argmax(kept >= KEEP)) + 1
    mask = np.zeros(scores.shape, dtype=bool)
    mask.flat[order[:count]] = True
    curve = [_point(max(1, round(size * total)), total, kept, fresh) for size in SIZES]
    curve = list({point.edges: point for point in curve}.values())
    mib = [_mib(point) for point in curve]
    chosen = np.where(mask, fresh.uniform(0.3, 1.1, mask.shape).clip(0, 1), fresh.uniform(0, 0.5, mask.shape))
    result = CircuitsResult(
        level=level,
        layers=layers,
        heads=heads,
        frozen_boundary=frozen,
        reference="twin",
        n=PROMPTS // 3,
        n_pairs=PROMPTS // 6,
        n_scored=PROMPTS,
        n_aligned=PROMPTS // 2,
        folds=DRAWS,
        resamples=100,
        counted=count,
        steps=5,
        keep=KEEP,
        total_edges=total,
        explained=explained(0.5 + 2.2 * learnt, PROMPTS // 6),
        mean_empty=-0.5 - 2.2 * learnt,
        curve=curve,
        mib=mib,
        n_mib=PROMPTS // 3,
        n_curve=PROMPTS // 4,
        cpr=_area(curve, [point.signed for point in mib]),
        cmd=_area(curve, [abs(1 - point.magnitude) for point in mib]),
        random_cpr=_area(curve, [(1 + float(np.mean(point.random or [1.0]))) / 2 for point in curve]),
        smallest=SmallestCircuit(
            edges=count,
            fraction=count / total,
            kept=_around(float(kept[count - 1]), 0.06),
            faithfulness=(1 + float(kept[count - 1])) / 2,
            in_sample=float(kept[count - 1]) + 0.05,
            nodes=int((mask[1:].any(1) | mask[:, :-1].any(0)).sum()) if level == "edges" else int(mask[1:].sum()),
            random=_random(count / total, fresh),
            above_random=_around(0.8, 0.1),
        ),
        nodes=_nodes(graph, scores, frozen),
        edges=_edges(graph, scores, mask, chosen),
        check=_around(0.94, 0.04),
        n_checked=10,
        notes=[] if level == "edges" else ["The inputs of single heads cannot be told apart in 'deberta-v2'."],
    )
    return result, {
        "scores": scores.astype(np.float32),
        "chosen": chosen.astype(np.float32),
        "smallest": mask.astype(np.uint8),
    }


def explained(size: float, groups: int, error: float = 0.15) -> ToExplain:
    """A separation with its interval, by the normal distribution."""
    interval = _around(size, 2 * error)
    chance = float(2 * ndtr(-abs(size) / error))
    return ToExplain(size=interval, p_value=chance, groups=groups, unit="contrast pairs", needed=None)


def nothing_explained(found: CircuitsResult) -> CircuitsResult:
    """The same judge, but for what it would have to tell apart: as the analysis publishes it then."""
    nothing = {"curve": [], "mib": [], "cpr": None, "cmd": None, "random_cpr": None, "smallest": None}
    rest = {"edges": [], "check": None, "n_checked": 0, "mean_empty": None, "resamples": 0}
    return found.model_copy(update=nothing | rest | {"explained": explained(0.004, found.n_pairs)})


def _around(value: float, half: float) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def _mib(point: CurvePoint) -> MibPoint:
    f = (1 + point.kept.value) / 2
    return MibPoint(fraction=point.fraction, edges=point.edges, signed=f, magnitude=0.95 * f + 0.05 * (f == 1))


def _edge_scores(
    graph: Graph, learnt: float, frozen: int, fixed: np.random.Generator, fresh: np.random.Generator
) -> np.ndarray:
    """(sources, targets) nats, NaN where there is no edge."""
    spread = 1.9 if graph.layers * graph.heads > 20 else 0.9
    writes, reads = (np.exp(fixed.normal(0, spread, size)) for size in (graph.sources, graph.targets))
    reads[graph.verdict] = np.sort(reads)[-2]
    layer = (np.arange(graph.sources) - 1) // graph.width
    writes *= np.where(layer < frozen, 0.5, 1.0)
    size = np.outer(writes, reads) * np.exp(fixed.normal(0, 0.7, graph.allowed.shape))
    size *= np.exp(fresh.normal(0, 0.35, size.shape))
    size[~graph.allowed] = np.nan
    sign = np.where(fixed.random(size.shape) < 0.85, 1, -1)
    total = 4.4 * (0.05 + learnt)
    return (sign * size * total / (0.7 * np.nansum(size))).astype(np.float32)


def _kept(ranked: np.ndarray, learnt: float, fresh: np.random.Generator) -> np.ndarray:
    """What the best 1, 2, ... edges keep: their share of the sum, bent so that few do not suffice."""
    share = np.cumsum(ranked) / ranked.sum()
    bent = np.where(share > 1, 1 + 0.1 * (share - 1), np.maximum(share, 0) ** 1.3)
    bent[-1] = 1.0
    return bent


def _random(fraction: float, fresh: np.random.Generator) -> list[float]:
    return (fraction**1.7 + fresh.normal(0, 0.03, DRAWS)).tolist()


def _point(edges: int, total: int, kept: np.ndarray, fresh: np.random.Generator) -> CurvePoint:
    value = float(kept[edges - 1])
    half = 0 if edges == total else 0.03 + 0.05 * abs(fresh.normal())
    return CurvePoint(
        fraction=edges / total,
        edges=edges,
        n=PROMPTS // 4,
        kept=_around(value, half),
        random=[] if edges == total else _random(edges / total, fresh)[:1],
        above_random=None if edges == total else _around(value, half),
    )


def _area(curve: Sequence[CurvePoint], values: Sequence[float]) -> float:
    return float(np.trapezoid([0.0, *values], [0.0, *(point.fraction for point in curve)]))


def _nodes(graph: Graph, scores: np.ndarray, frozen: int) -> list[CircuitNode]:
    effect = np.nansum(scores, axis=1) if scores.ndim == 2 else scores
    nodes = [_node("input", "input", -1, None, frozen > 0, float(effect[0]))]
    for layer in range(graph.layers):
        for head in range(graph.heads):
            value = float(effect[graph.head_sources(layer).start + head])
            nodes.append(_node(f"L{layer}.H{head}", "head", layer, head, layer < frozen, value))
        nodes.append(
            _node(f"L{layer}.MLP", "mlp", layer, None, layer < frozen, float(effect[graph.mlp_source(layer)]))
        )
    return [*nodes, _node("verdict", "verdict", graph.layers, None, False, 0.0)]


def _node(name: str, kind: str, layer: int, head: int | None, frozen: bool, effect: float) -> CircuitNode:
    values = {"name": name, "kind": kind, "layer": layer, "head": head, "frozen": frozen, "effect": float(effect)}
    return CircuitNode.model_validate(values)


def _edges(graph: Graph, scores: np.ndarray, smallest: np.ndarray, share: np.ndarray) -> list[CircuitEdge]:
    flat = scores.ravel()
    strongest = np.argsort(-np.where(np.isfinite(flat), np.abs(flat), -np.inf), kind="stable")
    chosen = [int(place) for place in strongest[: min(SHOWN, int(np.isfinite(flat).sum()))]]
    found = []
    for place in chosen:
        source, target = divmod(place, scores.shape[1]) if scores.ndim == 2 else (place, graph.verdict)
        if scores.ndim == 2 or source:
            found.append(
                CircuitEdge(
                    source=graph.source_name(source),
                    target=graph.target_name(target),
                    score=float(flat[place]),
                    in_smallest=bool(smallest.flat[place]),
                    chosen=float(share.flat[place]),
                )
            )
    return found
