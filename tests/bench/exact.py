"""Node and edge attribution against exact patching of every node and edge, on a tiny trained judge; one thread.

Exact patching runs the judge once a unit by plain hooks (`tests/making/by_hand.py`), and once an edge as a circuit
that lacks it. Turn about, with medians; beside the time, how far the ranks agree.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.patching.gradient_pass import GradientPass, gradient_pass
from tests.bench import Figure
from tests.making.by_hand import ByHand
from tests.making.judges import context
from tests.making.trained import TRAINED, rule_probes, trained_judge

STEPS, PAIRS, ROUNDS = 5, 16, 3


def measure() -> list[Figure]:
    torch.set_num_threads(1)
    return [figure for family in TRAINED for figure in _of(family)]


def _of(family: str) -> list[Figure]:
    probes = rule_probes(PAIRS)

    def ours(*, edges: bool) -> GradientPass:
        return gradient_pass(context(trained_judge(family), probes), STEPS, 2 * PAIRS, edges=edges)

    def nodes() -> np.ndarray:
        by_hand = ByHand(context(trained_judge(family), probes), found.references)
        return np.concatenate([by_hand.units(kind).ravel() for kind in ("heads", "neurons")])

    def each_edge() -> np.ndarray:
        evaluator = CircuitEvaluator(context(trained_judge(family), probes), 2 * PAIRS)
        masks = np.repeat(evaluator.graph.allowed[None], len(places), 0)
        masks[np.arange(len(places)), places[:, 0], places[:, 1]] = False
        return evaluator.full - np.array([one.mean for one in evaluator.evaluate_all(list(masks))])

    found = ours(edges=True)
    assert found.edges is not None
    places = np.argwhere(np.isfinite(found.edges))
    units = np.concatenate([found.heads.plain.ravel(), found.neurons.plain.ravel()])
    edges = found.edges[places[:, 0], places[:, 1]]
    figures = []
    for name, estimate, fast, exact in (
        ("node", units, partial(ours, edges=False), nodes),
        ("edge", edges, partial(ours, edges=True), each_edge),
    ):
        agreement = _spearman(estimate, exact())
        ratios = [_seconds(exact) / _seconds(fast) for _ in range(ROUNDS)]
        detail = f"{min(ratios):.1f} to {max(ratios):.1f}; {len(estimate)} {name}s, {2 * PAIRS} prompts"
        ratio = statistics.median(ratios)
        figures += [
            Figure(f"{family}: exact {name} patching / {name} attribution", ratio, "x", "", None, detail),
            Figure(f"{family}: Spearman of the two, all {name}s", agreement, "", ">= 0.9", agreement >= 0.9),
        ]
    return figures


def _seconds(compute: Callable[[], object]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started


def _spearman(one: np.ndarray, two: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, two).statistic)  # type: ignore[attr-defined]
