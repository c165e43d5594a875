"""The best cut, against trying every cut."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from analyzer.statistics.best_threshold import balanced_accuracy, best_threshold


def test_by_hand() -> None:
    scores = np.array([1.0, 2.0, 3.0, 7.0, 9.0])
    found = best_threshold(scores, np.array([False, False, True, True, True]))
    assert found is not None and found.accuracy == 1 and found.at_zero == 0.5
    assert 2 < found.threshold < 3
    widest = best_threshold(scores, np.array([False, True, False, True, True]))
    assert widest is not None and widest.threshold == 5 and widest.accuracy == pytest.approx(5 / 6)


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_is_better(seed: int) -> None:
    draw = np.random.default_rng(seed)
    unsafe = draw.random(31) < 0.4
    scores = np.round(draw.normal(size=31) + unsafe + 40, 1)
    found = best_threshold(scores, unsafe)
    assert found is not None
    flagged = scores[:, None] > np.linspace(36, 46, 2001) + 1e-4  # every cut there is, as scores have one decimal
    tried = (flagged[unsafe].mean(0) + 1 - flagged[~unsafe].mean(0)) / 2
    told = balanced_accuracy_score(unsafe, scores > found.threshold)
    assert told == pytest.approx(found.accuracy) == balanced_accuracy(scores > found.threshold, unsafe)
    assert found.accuracy == pytest.approx(max(tried))
    assert found.at_zero == 0.5
    assert len(f"{found.threshold:.10g}") <= 5, "as few decimals as the gap allows"


@pytest.mark.parametrize(
    ("scores", "unsafe"), [([1.0, 2.0], [True, True]), ([1.0, 2.0], [False, False]), ([1.0, 1.0], [True, False])]
)
def test_nothing_can_be_cut(scores: list[float], unsafe: list[bool]) -> None:
    assert best_threshold(np.array(scores), np.array(unsafe)) is None


def test_neighbours_in_float32_can_be_told_apart() -> None:
    low = np.float32(1000.1)
    scores = np.array([low, np.nextafter(low, np.float32(2000))]).astype(float)
    found = best_threshold(scores, np.array([False, True]))
    assert found is not None and scores[0] < found.threshold < scores[1]
