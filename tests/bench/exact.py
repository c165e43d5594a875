"""Node and edge attribution against exact patching of every node and edge, on a tiny trained judge; one thread.

Exact patching runs the judge once a unit by plain hooks (`tests/making/by_hand.py`), and once an edge as a circuit
that lacks it. Turn about, with medians; beside the time, how far the ranks agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.model.judge import Judge
from analyzer.patching.gradient_pass import GradientPass, gradient_pass
from tests.bench import Figure, Size, median_figure
from tests.making.by_hand import ByHand
from tests.making.judges import context, tiny_judge
from tests.making.trained import TRAINED, rule_probes, trained_judge

STEPS = 5
PAIRS = {Size.FULL: 16, Size.TINY: 8}
ROUNDS = {Size.FULL: 3, Size.TINY: 1}


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    figures = []
    for family in TRAINED:
        judge = trained_judge(family) if size is Size.FULL else tiny_judge(family, layers=1)
        figures += _of(family, judge, PAIRS[size], ROUNDS[size])
    return figures


def _of(family: str, judge: Judge, pairs: int, rounds: int) -> list[Figure]:
    probes = rule_probes(pairs)

    def ours(*, edges: bool) -> GradientPass:
        return gradient_pass(context(judge, probes), STEPS, 2 * pairs, edges=edges)

    def nodes() -> np.ndarray:
        by_hand = ByHand(context(judge, probes), found.references)
        return np.concatenate([by_hand.units(kind).ravel() for kind in ("heads", "neurons")])

    def each_edge() -> np.ndarray:
        evaluator = CircuitEvaluator(context(judge, probes), 2 * pairs)
        masks = np.repeat(evaluator.graph.allowed[None], len(places), 0)
        masks[np.arange(len(places)), places[:, 0], places[:, 1]] = False
        return evaluator.full - np.array([one.mean for one in evaluator.evaluate_all(list(masks))])

    found = ours(edges=True)
    assert found.edges is not None
    places = np.argwhere(np.isfinite(found.edges.mean))
    units = np.concatenate([found.heads.plain.ravel(), found.neurons.plain.ravel()])
    edges = found.edges.mean[places[:, 0], places[:, 1]]
    figures = []
    for name, estimate, fast, exact in (
        ("node", units, partial(ours, edges=False), nodes),
        ("edge", edges, partial(ours, edges=True), each_edge),
    ):
        agreement = _spearman(estimate, exact())
        ratios = [_seconds(exact) / _seconds(fast) for _ in range(rounds)]
        note = f"{len(estimate)} {name}s, {2 * pairs} prompts"
        figures += [
            median_figure(f"{family}: exact {name} patching / {name} attribution", ratios, "x", note=note),
            Figure(name=f"{family}: Spearman of the two, all {name}s", value=agreement, bar=">= 0.9", note=note),
        ]
    return figures


def _seconds(compute: Callable[[], object]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started


def _spearman(one: np.ndarray, two: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, two).statistic)  # type: ignore[attr-defined]
