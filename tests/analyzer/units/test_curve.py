"""The ablation curve: where half is gone, and that nobody is ranked and removed on the same prompts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from analyzer.units.curve import half_gone, ranked, removal_curve, sizes_of
from analyzer.units.separation import Separation
from shared.findings.parts import Interval
from shared.findings.removal_curve import CurvePoint
from tests.making.planted_heads import head_probes

SHAPE = (2, 50)


def points(*rows: tuple[int, float, float, float]) -> list[CurvePoint]:
    return [
        CurvePoint(removed=size, left=Interval(value=value, low=low, high=high), random=None)
        for size, low, value, high in rows
    ]


def test_half_is_interpolated_on_a_log_scale_with_the_sizes_at_which_it_may_be() -> None:
    found = half_gone(points((10, 0.8, 0.9, 0.95), (100, 0.3, 0.6, 0.7), (1000, 0.1, 0.2, 0.4)))
    assert found is not None
    assert found.at == round(10 ** (2 + 0.1 / 0.4))
    assert found.low == round(10 ** (1 + 0.3 / 0.5)) and found.high == round(10 ** (2 + 0.2 / 0.3))
    assert found.low < found.at < found.high


def test_half_at_the_first_size_never_and_for_good() -> None:
    first = half_gone(points((1, 0.1, 0.2, 0.3), (10, 0.0, 0.1, 0.2)))
    assert first is not None and (first.at, first.low, first.high) == (1, 1, 1)
    assert half_gone(points((1, 0.8, 0.9, 1.0), (10, 0.4, 0.6, 0.7))) is None
    open_end = half_gone(points((1, 0.8, 0.9, 1.0), (10, 0.3, 0.4, 0.6)))
    assert open_end is not None and open_end.high is None
    again = half_gone(points((1, 0.2, 0.4, 0.45), (10, 0.4, 0.6, 0.7), (100, 0.1, 0.2, 0.3)))
    assert again is not None and again.at == 1
    assert again.high == round(math.exp(math.log(10) + 0.5 * math.log(10))), "where it may be for the last time"


def test_sizes_are_below_the_whole_and_random_ones_among_them() -> None:
    assert sizes_of(9216) == ([1, 5, 20, 92, 184, 461, 922, 4608], [92, 922, 4608])
    sizes, random = sizes_of(128)
    assert sizes == [1, 3, 5, 6, 13, 20, 64] and set(random) <= set(sizes)
    assert sizes_of(4)[0] == [1, 2]


def test_what_supports_the_separation_comes_first_whichever_way_it_points() -> None:
    effects = np.array([[0.1, -3.0], [2.0, 0.0]])
    assert ranked(effects, 1.0).tolist() == [2, 0, 3, 1]
    assert ranked(effects, -1.0).tolist() == [1, 3, 0, 2]


class MadeUp:
    """Stands for `Removal`: without unit u every prompt's class-signed score is `worth[u]` smaller."""

    def __init__(self, worth: np.ndarray) -> None:
        self.worth, self.asked = worth, []
        probes = head_probes(count=30)
        scores = np.array([10.0 if each.label == "unsafe" else -10.0 for each in probes])
        self.separation = Separation(probes, scores + np.random.default_rng(0).normal(0, 0.1, 60), seed=0)
        self.all = np.arange(60)

    def scores(self, sets: Any, rows: np.ndarray) -> np.ndarray:
        self.asked.append((sets, rows))
        lost = np.array([sum(self.worth[unit] for unit in units) for units in sets])
        sign = np.where(self.separation.unsafe[rows], 1.0, -1.0)
        return self.separation.scores[rows] - lost[:, None] * sign


def test_each_part_of_the_prompts_loses_what_the_others_ranked() -> None:
    """Orders differ between two folds: one removes what matters, the other what does nothing."""
    worth = np.zeros(SHAPE)
    worth[1, 7] = 8.0
    removal = MadeUp(worth)
    fold = np.repeat([0, 1], 30)
    first = 50 + 7
    orders = [np.array([first, *(n for n in range(100) if n != first)]), np.arange(100)]
    curve = removal_curve(removal, fold, orders, SHAPE, seed=0)  # type: ignore[arg-type]
    assert [rows.tolist() for _, rows in removal.asked] == [list(range(30)), list(range(30, 60))]
    assert removal.asked[0][0][0] == [(1, 7)] and removal.asked[1][0][0] == [(0, 0)]
    left = curve.points[0].left
    assert left is not None and left.value == pytest.approx(
        1 - 0.5 * 8 / removal.separation.signed.mean(), abs=1e-6
    )
    assert left.low <= left.value <= left.high and curve.n == 60 and curve.total == 100


def test_random_ones_are_as_many_of_the_same_layers() -> None:
    removal = MadeUp(np.zeros(SHAPE))
    orders = [np.arange(100)]
    curve = removal_curve(removal, np.zeros(60, dtype=int), orders, SHAPE, seed=0)  # type: ignore[arg-type]
    sets, sizes = removal.asked[0][0], [point.removed for point in curve.points]
    drawn = [point.removed for point in curve.points if point.random is not None]
    for size, units in zip(drawn, sets[len(sizes) :], strict=True):
        assert len(set(units)) == size and {layer for layer, _ in units} == {0}, "the first 50 are of layer 0"
    assert curve.half is None and all(point.left is not None for point in curve.points)
