"""Attribution drift by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from analyzer.evolution.drift import correlations, drift_rows, mean_correlation
from tests.making.judges import probe


def tokens(*prompts: list[float], ids: list[list[int]] | None = None, places: list[int] | None = None):
    lengths = [len(prompt) for prompt in prompts]
    ids = ids or [list(range(length)) for length in lengths]
    return {
        "attributions": np.array([value for prompt in prompts for value in prompt], dtype=np.float32),
        "token_ids": np.array([token for prompt in ids for token in prompt]),
        "offsets": np.cumsum([0, *lengths]),
        "prompts": np.array(places or list(range(len(prompts)))),
    }


def test_by_hand() -> None:
    """1 - 6 sum d^2 / (n (n^2 - 1)) with ranks (1, 2, 3, 4) and (2, 1, 3, 4): 1 - 12 / 60."""
    found = correlations(tokens([0.1, 0.2, 0.3, 0.4], [1, 2, 3]), tokens([2.0, -1.0, 3.0, 40.0], [3, 2, 1]))
    assert found == pytest.approx({0: 0.8, 1: -1.0})


def test_against_scipy_with_ties() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(1, 6, 30).astype(float), random.integers(1, 6, 30).astype(float)
    found = correlations(tokens(list(one)), tokens(list(other)))
    assert found[0] == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)


def test_size_does_not_count() -> None:
    random = np.random.default_rng(1)
    one = random.standard_normal(12)
    assert correlations(tokens(list(one)), tokens(list(7 * one)))[0] == pytest.approx(1.0)


def test_tokens_without_attribution_by_construction_are_left_out() -> None:
    """Special tokens and what twins share: zeros at both checkpoints."""
    padded = correlations(tokens([0, 1, 2, 3, 0, 0]), tokens([0, 3, 1, 2, 0, 0]))
    assert padded == pytest.approx(correlations(tokens([1, 2, 3]), tokens([3, 1, 2])))
    one_sided = correlations(tokens([0, 1, 2, 3]), tokens([1, 0, 2, 3]))
    assert one_sided[0] == pytest.approx(0.8)


def test_what_has_no_correlation() -> None:
    assert correlations(tokens([1, 2]), tokens([2, 1])) == {}, "two tokens say nothing"
    assert correlations(tokens([0, 0, 1, 2]), tokens([0, 0, 2, 1])) == {}
    assert correlations(tokens([1, 1, 1]), tokens([1, 2, 3])) == {}
    assert correlations(tokens([1, 2, 3]), tokens([1, 2, 3], ids=[[0, 1, 9]])) == {}, "another tokenizer"
    assert correlations(tokens([1, 2, 3]), tokens([1, 2, 3], places=[4])) == {}, "another prompt"


def test_prompts_meet_by_their_place_in_the_probe_set() -> None:
    one, other = tokens([1, 2, 3], [1, 3, 2], places=[5, 2]), tokens([1, 2, 3], [3, 2, 1], places=[2, 5])
    assert correlations(one, other) == pytest.approx({5: -1.0, 2: 0.5})


def test_rows_and_mean() -> None:
    probes = [probe(f"p{i}", "unsafe" if i % 2 else "safe", pair="x" if i < 2 else None) for i in range(4)]
    rows = drift_rows({3: 0.5, 0: 0.1}, {0: 0.2}, probes)
    assert [(row.probe_id, row.label, row.to_previous, row.to_first) for row in rows] == [
        ("p0", "safe", 0.1, 0.2),
        ("p3", "unsafe", 0.5, None),
    ]
    assert mean_correlation({}, probes, 100, 0) is None
    interval = mean_correlation({0: 0.0, 1: 1.0, 2: 0.5, 3: 0.5}, probes, 500, 0)
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 0.5), "twins are drawn together"
