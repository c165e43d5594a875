"""Change-points, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.evolution.alerts import alerts
from analyzer.statistics.change_point import change_point

pytestmark = pytest.mark.numeric


def after(*changes: float, start: float = 0.0) -> list[float | None]:
    return [start, *(start + np.cumsum(changes)).tolist()]


def test_by_hand() -> None:
    """Changes 1, 2, 3, 4, 5: median 3, MAD 1, so that 3 + 1.4826 x 4 = 8.93 is the border."""
    found = change_point(after(1, 2, 3, 4, 5, 9), 0.5)
    assert found is not None
    assert (found.before, found.now, found.change, found.known) == (15, 24, 9, 5)
    assert found.z == pytest.approx((9 - 3) / 1.4826)
    assert change_point(after(1, 2, 3, 4, 5, 8.9), 0.5) is None
    down = change_point(after(1, 2, 3, 4, 5, -3), 0.5)
    assert down is not None
    assert down.z == pytest.approx(-6 / 1.4826)


def test_the_minimum() -> None:
    assert change_point(after(0, 0.01, -0.01, 0, 0.01, 0.3), 0.2) is not None
    assert change_point(after(0, 0.01, -0.01, 0, 0.01, 0.19), 0.2) is None


def test_a_series_that_never_moved() -> None:
    """MAD 0: the minimum alone decides, strictly."""
    assert change_point(after(0, 0, 0, 0, 0, 2), 2.0) is None
    found = change_point(after(0, 0, 0, 0, 0, 2.5), 2.0)
    assert found is not None
    assert found.z == pytest.approx(2.5 / (2.0 / 4))


def test_the_minimum_exactly_is_not_above_it() -> None:
    """Changes of -1, then +2: no spread counts as 2 / 4, so z is (2 + 1) / 0.5 = 6; the minimum decides."""
    assert change_point(after(-1, -1, -1, -1, -1, 2), 2.0) is None
    assert change_point(after(1, 1, 1, 1, 1, -2), 2.0) is None
    for newest in (2.01, -2.01):
        before = -1 if newest > 0 else 1
        found = change_point(after(*[before] * 5, newest), 2.0)
        assert found is not None
        assert found.z == pytest.approx((newest - before) / 0.5)


def test_four_deviations_exactly_are_not_above_four() -> None:
    """Changes of 1, then 3, above the minimum of 2: z is (3 - 1) / 0.5 = 4, and it alone decides."""
    assert change_point(after(1, 1, 1, 1, 1, 3), 2.0) is None
    assert change_point(after(-1, -1, -1, -1, -1, -3), 2.0) is None
    for newest in (3.01, -3.01):
        found = change_point(after(*[newest / 3.01] * 5, newest), 2.0)
        assert found is not None
        assert abs(found.z) == pytest.approx(4.02)


def test_too_little_is_known() -> None:
    assert change_point(after(0, 0, 0, 0, 9), 1.0) is None, "four changes before the newest"
    assert change_point(after(0, 0, 0, 0, 0, 9), 1.0) is not None
    assert change_point([], 1.0) is None
    assert change_point([1.0], 1.0) is None


def test_only_the_trailing_eight_count() -> None:
    """A wild beginning is forgotten."""
    wild = after(9, -9, 9, -9, 0, 0, 0, 0, 0, 0, 0, 0, 5)
    assert change_point(wild, 1.0) is not None
    assert change_point(wild, 1.0).known == 8  # type: ignore[union-attr]
    assert change_point(after(*[9, -9] * 4, 5), 1.0) is None


def test_missing_values_break_steps() -> None:
    values: list[float | None] = [0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0]
    found = change_point(values, 1.0)
    assert found is not None
    assert found.known == 5, "of seven, two touch the gap"
    assert change_point([*values[:4], None, *values[5:]], 1.0) is None
    assert change_point([*values, None], 1.0) is None
    assert change_point([*values[:-1], None, 5.0], 1.0) is None, "no step over the gap"


def test_noise_raises_few_flags() -> None:
    """Heavy tails of a trailing window of 8 are expected; one in ten would be useless."""
    random = np.random.default_rng(0)
    series = random.standard_normal((2000, 10)).cumsum(1)
    flags = sum(change_point(list(row), 0.01) is not None for row in series)
    assert flags < 0.1 * len(series)


def steady(last: float, value: float = 0.5) -> list[float | None]:
    return [value] * 9 + [last]


def test_sentences() -> None:
    (fnr,) = alerts(12, {"probe_fnr": steady(0.9)}, "epoch 9", "epoch 10")
    assert fnr.sentence == (
        "The share of unsafe probe prompts passed as safe went from 50 % at epoch 9 to 90 %: different since epoch "
        "10, by 32.0 robust standard deviations of the 8 steps before. This is a flag, not a diagnosis."
    )
    assert (fnr.signal, fnr.minimum) == ("probe_fnr", 0.05)
    assert fnr.change == pytest.approx(0.4)
    (layer,) = alerts(12, {"divergence_layer": steady(12.0, 3.0)}, "epoch 9", "epoch 10")
    assert "from layer 3 at epoch 9 to none (counted as 12)" in layer.sentence
    (layer,) = alerts(12, {"divergence_layer": steady(-1.0, 3.0)}, "step 90", "step 100")
    assert "to the embeddings: different since step 100" in layer.sentence


def test_the_number_of_neurons_has_a_relative_minimum() -> None:
    assert alerts(12, {"neurons_with_effect": steady(1090.0, 1000.0)}, "a", "b") == []
    (found,) = alerts(12, {"neurons_with_effect": steady(1110.0, 1000.0)}, "a", "b")
    assert found.minimum == 100
    (found,) = alerts(12, {"neurons_with_effect": steady(6.0, 0.0)}, "a", "b")
    assert found.minimum == 5


def test_overlap_is_no_signal() -> None:
    assert alerts(12, {"edges_jaccard": steady(0.0, 1.0), "neurons_jaccard": steady(0.0, 1.0)}, "a", "b") == []
