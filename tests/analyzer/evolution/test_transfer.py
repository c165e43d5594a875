"""A circuit of another checkpoint, run in a real tiny judge."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.circuits.evaluator import CircuitEvaluator
from analyzer.circuits.masks import along_paths, mask_of_first
from analyzer.evolution.transfer import Circuits, transfer
from analyzer.session.context import Context
from shared.errors import CannotCompute
from shared.findings.parts import Interval
from tests.making.fake_circuits import explained
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


@pytest.fixture(autouse=True)
def _something_to_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny random judge separates nothing; what transfers is looked at all the same."""
    monkeypatch.setattr(CircuitEvaluator, "explained", explained(1.0, 24))
    monkeypatch.setattr(
        CircuitEvaluator,
        "kept",
        lambda self, scores, beside=0.0: _point(
            (self.references.sign * (scores - beside)).sum() / (self.references.sign * self.clean).sum()
        ),
    )


def _point(value: float) -> Interval:
    return Interval(value=float(value), low=float(value), high=float(value))


@pytest.mark.parametrize("family", ["bert", "llama", "deberta-v2"])
def test_the_smallest_circuit_is_what_runs(family: str) -> None:
    here, evaluator = real(family)
    before, own = scores_of(evaluator, 1), scores_of(evaluator, 2)
    mask = np.isfinite(before) & (np.nan_to_num(before) > 0)
    found = transfer(here, circuits(before, mask), circuits(own), 5, PROMPTS)
    expected = evaluator.evaluate(mask)
    assert found.edges == mask.sum()
    assert found.kept.value == pytest.approx(expected.kept, abs=1e-4)
    way = 1 if evaluator.full > 0 else -1
    best = mask_of_first(along_paths(way * own, signed=True), found.edges, own.shape)
    assert found.own == pytest.approx(evaluator.evaluate(best).kept, abs=1e-4)
    assert len(found.random) == 5
    assert len(set(found.random)) > 1
    assert found.above_random.value == pytest.approx(found.kept.value - np.mean(found.random), abs=1e-4)
    assert found.above_left is None


def test_beside_a_decoder_the_circuit_has_to_keep_more_than_is_left_without_the_encoder() -> None:
    here, evaluator = real("t5")
    before, own = scores_of(evaluator, 1), scores_of(evaluator, 2)
    mask = np.isfinite(before) & (np.nan_to_num(before) > 0)
    found = transfer(here, circuits(before, mask), circuits(own), 5, PROMPTS)
    assert evaluator.left is not None and found.above_left is not None
    assert found.above_left.value == pytest.approx(found.kept.value - evaluator.left.value, abs=1e-4)
    sure = found.model_copy(update={"kept": _point(0.9), "above_random": _point(0.3), "above_left": _point(0.1)})
    assert sure.works and not sure.model_copy(update={"above_left": _point(0.0)}).works


def test_the_whole_graph_keeps_everything() -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    found = transfer(here, circuits(scores, np.isfinite(scores)), circuits(scores), 5, PROMPTS)
    assert (found.kept.value, found.own, found.random) == (1.0, 1.0, [1.0] * 5)
    assert not found.works, "random ones keep as much"


def test_without_a_circuit_that_can_be_claimed_none_runs() -> None:
    here, evaluator = real()
    with pytest.raises(CannotCompute, match="no circuit of the previous checkpoint can be claimed"):
        transfer(here, circuits(scores_of(evaluator, 1)), circuits(scores_of(evaluator, 2)), 5, PROMPTS)


def test_another_shape_is_said() -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    with pytest.raises(CannotCompute, match="other layers or heads"):
        transfer(here, circuits(scores[:-1]), circuits(scores), 5, PROMPTS)


def test_nothing_to_keep_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    here, evaluator = real()
    scores = scores_of(evaluator, 1)
    monkeypatch.setattr(CircuitEvaluator, "explained", explained(0.2, 24))
    with pytest.raises(CannotCompute, match="may be chance"):
        transfer(here, circuits(scores, np.isfinite(scores)), circuits(scores), 5, PROMPTS)
