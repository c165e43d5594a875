"""Random circuits on some prompts at every size, and on all of them at the size that the headline names."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from analyzer.circuits.crossfit import CrossFit
from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import circuit_sizes, random_masks
from analyzer.circuits.scored import scored
from analyzer.circuits.sizes import Limits, RunCircuits, run_circuits
from shared.findings.claims import FEWEST_GROUPS
from tests.making.judges import context, random_probes, tiny_judge

PAIRS, FEW = 20, 24


@cache
def made(keep: float = 0.8) -> tuple[CrossFit, RunCircuits]:
    """A random judge, its twins labelled as it scores them: a separation that takes many edges."""
    judge, probes = tiny_judge("bert", layers=3), random_probes(PAIRS, pairs=PAIRS)
    scores = dict(zip([one.id for one in probes], context(judge, probes).forward.scores, strict=True))
    twins = [
        (one, other) for one in probes for other in probes if one.pair == other.pair and one.label < other.label
    ]
    probes = [
        one.model_copy(update={"label": label})
        for pair in twins
        for label, one in zip(("safe", "unsafe"), sorted(pair, key=lambda one: scores[one.id]), strict=True)
    ]
    found = context(judge, probes, suite=frozenset({"circuits"}))
    evaluator = CircuitEvaluator(found, 2 * PAIRS, wider=True)
    edges = scored(found, evaluator, 3, 2 * PAIRS, 2 * PAIRS)
    fit = CrossFit(evaluator, edges.scores, edges.parts, 4, 20, 0)
    total = int(np.isfinite(edges.mean).sum())
    return fit, run_circuits(fit, total, Limits(keep, FEW, 8))


def by_hand(fit: CrossFit, sizes: list[int], count: int, at: np.ndarray) -> np.ndarray:
    """(positions,) scores of that one of the random circuits of all these sizes that has `count` edges."""
    found = np.zeros(len(fit.fold))
    for number, choice in enumerate(fit.chosen_elsewhere):
        random = np.random.default_rng([fit.seed, number])
        masks = {size: random_masks(choice.mean, size, 1, random)[0] for size in sizes}
        inside = fit.fold == number
        found[inside] = fit.evaluator.evaluate(masks[count]).scores[inside]
    return found[at]


def test_some_prompts_are_whole_pairs_of_every_fold() -> None:
    fit, _ = made()
    for prompts in (FEW, 32):
        at = fit.of_all_folds(prompts)
        assert len(at) == prompts and (np.diff(at) > 0).all()
        assert np.unique(fit.part[at], return_counts=True)[1].tolist() == [2] * (prompts // 2)
        inside = np.bincount(fit.fold[at])
        assert len(inside) == 4 and inside.max() - inside.min() <= 2
    assert len(fit.of_all_folds(2)) == 2 * FEWEST_GROUPS, "fewer groups give no interval to go by"
    assert fit.of_all_folds(1000).tolist() == list(range(2 * PAIRS))


def test_every_size_is_run_on_some_prompts_and_what_is_named_on_all() -> None:
    fit, found = made()
    assert found.smallest is not None and found.n_curve == FEW
    sizes, some, every = [point.edges for point in found.curve], fit.of_all_folds(FEW), np.arange(2 * PAIRS)
    assert sizes == circuit_sizes(sizes[-1]) and FEW in {point.n for point in found.curve} <= {FEW, 2 * PAIRS}
    sign, clean = fit.evaluator.references.sign, fit.evaluator.clean
    for point in found.curve[4:-1]:
        at = every if point.n == 2 * PAIRS else some
        own = fit.of_size(point.edges)[at]
        random = by_hand(fit, [point.edges] if point.n == 2 * PAIRS else sizes, point.edges, at)
        full = float((sign[at] * clean[at]).sum())
        assert point.kept.value == pytest.approx(float((sign[at] * own).sum()) / full, abs=1e-4)
        assert point.above_random is not None
        above = float((sign[at] * (own - random)).sum()) / full
        assert point.above_random.value == pytest.approx(above, abs=1e-4)
        if point.n == FEW:
            assert point.random == pytest.approx([float((sign[at] * random).sum()) / full], abs=1e-4)
    assert len(found.smallest.random) == 4, "fold by fold"


def test_the_claim_stands_on_all_prompts() -> None:
    """By hand, at whatever size the halving ended."""
    fit, found = made()
    circuit = found.smallest
    assert circuit is not None
    sign, full = fit.evaluator.references.sign, float((fit.evaluator.references.sign * fit.evaluator.clean).sum())
    own = fit.of_size(circuit.edges)
    assert circuit.kept.value == pytest.approx(float((sign * own).sum()) / full, abs=1e-4)
    random = by_hand(fit, [circuit.edges], circuit.edges, np.arange(2 * PAIRS))
    assert circuit.above_random.value == pytest.approx(float((sign * (own - random)).sum()) / full, abs=1e-4)


def test_what_keeps_enough_on_some_prompts_alone_is_not_claimed() -> None:
    """A share that the smallest size of the curve keeps there, and on all no size does but a larger one."""
    fit, found = made()
    few = {point.edges: point.kept.value for point in found.curve if point.n == FEW}
    every = {edges: _kept(fit, edges) for edges in few}
    edges = next(edges for edges in few if edges < found.curve[-1].edges and few[edges] > every[edges] + 1e-3 > 0.1)
    keep = (few[edges] + every[edges]) / 2
    _, other = made(keep)
    assert other.smallest is None or (other.smallest.kept.value >= keep and other.smallest.edges != edges)


def test_where_none_is_claimed_the_best_part_is_compared_on_all_prompts() -> None:
    _, found = made(keep=9.0)
    assert found.smallest is None
    best = max(found.curve[:-1], key=lambda point: point.kept.value)
    assert best.kept.low > 0 and best.n == 2 * PAIRS
    assert {point.n for point in found.curve[:-1]} == {FEW, 2 * PAIRS}


def _kept(fit: CrossFit, edges: int) -> float:
    return fit.evaluator.told(fit.of_size(edges)).kept
