"""A circuit of another checkpoint, run in a real tiny judge."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first
from analyzer.evolution.transfer import Circuits, transfer
from analyzer.session.context import Context
from shared.errors import CannotCompute
from tests.making.judges import context, random_probes, tiny_judge

PROMPTS = 16


def real(family: str = "bert") -> tuple[Context, CircuitEvaluator]:
    found = context(tiny_judge(family, layers=2), random_probes(12, pairs=10))
    return found, CircuitEvaluator(found, PROMPTS)


def scores_of(found: CircuitEvaluator, seed: int) -> np.ndarray:
    allowed = found.graph.allowed if found.by_edges else np.ones(found.graph.sources, dtype=bool)
    scores = np.random.default_rng(seed).standard_normal(allowed.shape).astype(np.float32)
    if not found.by_edges:
        scores[0] = 10  # without the input there is no circuit
    return np.where(allowed, scores, np.nan)


def circuits(scores: np.ndarray, mask: np.ndarray | None = None) -> Circuits:
    return {"scores": scores, "smallest": (np.zeros(scores.shape) if mask is None else mask).astype(np.uint8)}


@pytest.mark.parametrize("family", ["bert", "llama", "deberta-v2"])
def test_the_smallest_circuit_is_what_runs(family: str) -> None:
    here, evaluator = real(family)
    before, own = scores_of(evaluator, 1), scores_of(evaluator, 2)
    mask = np.isfinite(before) & (np.nan_to_num(before) > 0)
    found = transfer(here, circuits(before, mask), circuits(own), 10, 5, PROMPTS)
    expected = evaluator.evaluate(mask)
    assert found.edges == mask.sum()
    assert found.faithfulness.value == pytest.approx(expected.faithfulness, abs=1e-5)
    assert found.faithfulness.low <= found.faithfulness.value <= found.faithfulness.high
    best = mask_of_first(along_paths(own, signed=True), found.edges, own.shape)
    assert found.own == pytest.approx(evaluator.evaluate(best).faithfulness, abs=1e-5)
    assert len(found.random) == 5
    assert len(set(found.random)) > 1


def test_the_whole_graph_keeps_everything() -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    found = transfer(here, circuits(scores, np.isfinite(scores)), circuits(scores), 10, 5, PROMPTS)
    assert (found.faithfulness.value, found.own, found.random) == (1.0, 1.0, [1.0] * 5)


def test_without_a_smallest_circuit_the_best_edges_run() -> None:
    here, evaluator = real()
    before, own = scores_of(evaluator, 1), scores_of(evaluator, 2)
    found = transfer(here, circuits(before), circuits(own), 7, 5, PROMPTS)
    best = mask_of_first(along_paths(before, signed=True), 7, before.shape)
    assert found.edges == 7
    assert found.faithfulness.value == pytest.approx(evaluator.evaluate(best).faithfulness, abs=1e-5)


def test_another_shape_is_said() -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    with pytest.raises(CannotCompute, match="other layers or heads"):
        transfer(here, circuits(scores[:-1]), circuits(scores), 7, 5, PROMPTS)


def test_nothing_to_keep_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    monkeypatch.setattr(CircuitEvaluator, "something_to_keep", False)
    with pytest.raises(CannotCompute, match="no better than the corrupted run"):
        transfer(here, circuits(scores), circuits(scores), 7, 5, PROMPTS)
