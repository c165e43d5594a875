"""Numbers that rounding alone parts are ties, wherever ranks, lists and thresholds are made of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from analyzer.analyses.comparison import _pair_accuracy, divergence
from analyzer.model.neuron_readings import Readings
from analyzer.statistics.auroc import auroc
from analyzer.statistics.ranks import spearman
from analyzer.statistics.significance import rank_test
from analyzer.statistics.ties import RAMP, average_ranks, exceeds, gradual_ranks, gradual_wins, largest_first
from analyzer.statistics.unusual_step import unusual_step
from analyzer.units.attended_tokens import attended
from analyzer.units.effects import strongest_units
from analyzer.units.strongest_tokens import _listed
from tests.making.judges import context, random_probes, tiny_judge

pytestmark = pytest.mark.numeric

LABELS = np.array([0, 1] * 20)


def tied(seed: int = 0) -> np.ndarray:
    """(40, 30) values of which many in a column are equal."""
    return np.random.default_rng(seed).integers(0, 12, size=(40, 30)).astype(float)


def rounded(values: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The values as another processor might give them."""
    return values + share * np.abs(values).max() * np.random.default_rng(seed).uniform(-1, 1, values.shape)


def test_exact_readings_have_the_ranks_of_what_is_equal() -> None:
    values = tied()
    for seed in range(5):
        (found, varied), *_ = Readings("max", rounded(values, 1e-14, seed)[None]).ranks()
        assert (found == rankdata(values, axis=0)).all() and varied.all()


def test_a_neuron_that_is_constant_up_to_rounding_is_constant() -> None:
    values = np.hstack([tied(), np.full((40, 1), 3.0)])
    for precision, share in ((np.float64, 1e-14), (np.float32, 1e-7)):
        found = rounded(values, share, seed=1).astype(precision)
        (ranks, varied), *_ = Readings("max", found[None]).ranks()
        auc, p = rank_test(ranks, LABELS)
        assert varied.tolist() == [True] * 30 + [False]
        assert auc[-1] == pytest.approx(0.5, abs=1e-3) and p[-1] == 1


def test_gradual_ranks_by_hand() -> None:
    """At a quarter of the width a value wins 5/8 of the pair."""
    found = gradual_ranks(np.array([[0.0], [1.0], [1.25], [4.0]]), 1.0)
    assert found[:, 0].tolist() == pytest.approx([1, 2.375, 2.625, 4])
    assert gradual_ranks(np.array([[2.0], [1.0]]), 0.0)[:, 0].tolist() == [2, 1]


def test_gradual_ranks_do_not_jump_and_are_the_usual_ones_far_apart() -> None:
    values = tied(3)
    wanted, p = rank_test(average_ranks(values), LABELS)
    for seed in range(5):
        (ranks, _), *_ = Readings("max", rounded(values, 1e-7, seed).astype(np.float32)[None]).ranks()
        auc, found = rank_test(ranks, LABELS)
        np.testing.assert_allclose(auc, wanted, atol=1e-4)
        np.testing.assert_allclose(found, p, atol=1e-3)


def test_auroc_of_scores_that_rounding_parts() -> None:
    scores = np.random.default_rng(0).integers(0, 10, 40).astype(float)
    wanted = float(auroc(scores, LABELS)[0])
    for seed in range(5):
        assert auroc(rounded(scores, 1e-7, seed), LABELS)[0] == pytest.approx(wanted, abs=5e-4)
    assert auroc(np.zeros(40), LABELS)[0] == 0.5


def test_gradual_wins_by_hand() -> None:
    """At half of the width a win is 3/4; beyond it a whole one. Scores of 4 have a width of 4 times the ramp."""
    width = 4 * RAMP
    found = gradual_wins(np.array([0.0, width / 2, width, 3 * width, -width / 2, -width]), 4.0)
    assert found.tolist() == pytest.approx([0.5, 0.75, 1, 1, 0.25, 0])
    assert gradual_wins(np.zeros(2), 0.0).tolist() == [0.5, 0.5]


def test_lists_keep_the_order_of_what_is_equal() -> None:
    values = np.array([1.0, 3.0, 2.0, 3.0, np.nan, 3.0, 2.0])
    for seed in range(5):
        noise = 1 + 1e-6 * np.random.default_rng(seed).uniform(-1, 1, len(values))
        assert largest_first(values * noise).tolist() == [1, 3, 5, 2, 6, 0, 4]
    assert largest_first([np.nan, 1.0, np.nan, 2.0]).tolist() == [3, 1, 0, 2], "NaN after all numbers"
    assert largest_first([]).tolist() == [] and largest_first([0.0, -0.0]).tolist() == [0, 1]


def test_the_strongest_units_and_their_prompts() -> None:
    effect = np.array([[1.0, 2.0], [2.0 * (1 + 1e-7), 0.5]])
    assert strongest_units(effect, 3) == [(0, 1), (1, 0), (0, 0)]
    made = context(tiny_judge("bert"), random_probes(3))
    peak = np.full(6, 1.0) + np.linspace(0, 1e-7, 6)
    shown = _listed(made, peak, np.ones(6, dtype=int), 2)
    assert [token.probe_id for token in shown] == [each.id for each in made.probes[:2]]


def test_rank_correlation_does_not_read_rounding() -> None:
    assert spearman([1, 1 + 1e-7, 1 - 1e-7], [1, 2, 3]) is None
    assert spearman([0, 1, 1 + 1e-7, 2], [0, 1, 1, 2]) == pytest.approx(1)
    assert spearman([1e-6, 3e-6, 2e-6], [1, 3, 2]) == pytest.approx(1), "a share of the largest, however small"
    assert spearman([1e6, 1e6 + 0.1, 1e6 - 0.1], [1, 2, 3]) is None


def test_a_threshold_is_passed_by_more_than_rounding() -> None:
    assert not exceeds(0.1 + 0.2, 0.3) and exceeds(0.3001, 0.3)
    assert not exceeds(1e12 + 1, 1e12) and exceeds(2e-12, 1e-12), "rounding is a share of the numbers"
    for before, now in ((0.70, 0.75), (0.65, 0.70), (0.1, 0.15)):  # each exactly the minimum, but for the last bit
        assert unusual_step([before] * 9 + [now], 0.05, 1) is None
        assert unusual_step([before] * 9 + [now + 0.001], 0.05, 1) is not None


def test_the_divergence_layer_is_not_where_interval_and_control_are_equal() -> None:
    level = 0.1 + 0.2
    assert divergence([level, level, 0.8, 0.8], [0.3] * 4) == 1
    assert divergence([level, level], [0.3] * 2) is None


def test_a_twin_that_rounding_ranks_first_is_not_ranked_right() -> None:
    pairs = np.array([[0, 1], [2, 3]])
    assert _pair_accuracy(np.array([1.0 + 1e-15, 1.0, 2.0, 2.0]), pairs) is None
    found = _pair_accuracy(np.array([1.0 + 1e-15, 1.0, 2.0, 1.0]), pairs)
    assert found is not None and found.value == 0.5


def test_equal_lifts_are_listed_by_name() -> None:
    counts = {"b": [2.0, 1.0, 2.0, 0.0], "a": [2.0 - 1e-7, 1.0, 2.0, 0.0], "c": [6.0, 1.0, 2.0, 0.0]}
    assert [token.token for token in attended(counts)] == ["c", "a", "b"]
