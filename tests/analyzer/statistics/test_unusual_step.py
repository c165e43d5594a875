"""Unusual steps, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from analyzer.statistics.unusual_step import ALPHA, TAIL, note_bar, unusual_step

TESTS = 100


def after(*changes: float, start: float = 0.0) -> list[float | None]:
    return [start, *(start + np.cumsum(changes)).tolist()]


def test_the_bar_is_students() -> None:
    assert note_bar(8, TESTS) == pytest.approx(student.isf(ALPHA / 2 / TESTS, 8))
    assert note_bar(20, TESTS) < note_bar(8, TESTS)


def test_by_hand() -> None:
    """Steps of 3 and -4 in turn: their root mean square is sqrt(12.5)."""
    usual, bar = math.sqrt(12.5), note_bar(8, TESTS)
    for sign in (1, -1):
        found = unusual_step(after(*[3, -4] * 4, sign * 1.01 * bar * usual), 0.1, TESTS)
        assert found is not None
        assert (found.severity, found.n) == ("note", 8)
        assert found.usual == pytest.approx(usual)
        assert found.ratio == pytest.approx(1.01 * bar) and found.bar == pytest.approx(bar)
        assert found.now - found.before == pytest.approx(sign * 1.01 * bar * usual)
    assert unusual_step(after(*[3, -4] * 4, 0.99 * bar * usual), 0.1, TESTS) is None
    alarm = unusual_step(after(*[3, -4] * 4, 1.01 * TAIL * bar * usual), 0.1, TESTS)
    assert alarm is not None and alarm.severity == "alarm" and alarm.bar == pytest.approx(TAIL * bar)


def test_a_falling_curve_goes_on_falling() -> None:
    """About its mean, a steady trend has no spread and every step would be unusual."""
    assert unusual_step(after(*[-1] * 8, -3), 0.1, TESTS) is None


def test_a_number_that_never_moved_needs_the_minimum() -> None:
    assert unusual_step(after(*[0] * 8, 1.99), 2.0, TESTS) is None
    assert unusual_step(after(*[0] * 8, 2.0), 2.0, TESTS) is None, "exactly the minimum is not above it"
    note = unusual_step(after(*[0] * 8, 2.01), 2.0, TESTS)
    assert note is not None and note.severity == "note"
    assert unusual_step(after(*[0] * 8, 6.99), 2.0, TESTS).severity == "note"  # type: ignore[union-attr]
    assert unusual_step(after(*[0] * 8, 7.01), 2.0, TESTS).severity == "alarm"  # type: ignore[union-attr]


def test_what_the_prompts_leave_open_is_usual() -> None:
    steps, bar = after(*[0.1] * 8, 5), note_bar(8, TESTS)
    assert unusual_step(steps, 0.1, TESTS) is not None
    assert unusual_step(steps, 0.1, TESTS, error=5 / bar) is None
    found = unusual_step(steps, 0.1, TESTS, error=4.9 / bar)
    assert found is not None and found.usual == pytest.approx(4.9 / bar)


def test_a_rate_that_rises_explains_larger_steps_and_one_that_falls_nothing() -> None:
    """Rates at the values: the last step's mean rate is 10 times the others', or a tenth."""
    steps = after(*[1, -1] * 4, 9)
    flat, up, down = [1.0] * 10, [1.0] * 9 + [19.0], [1.0] * 9 + [-0.8]
    assert unusual_step(steps, 0.1, TESTS, flat).ratio == pytest.approx(9)  # type: ignore[union-attr]
    assert unusual_step(steps, 0.1, TESTS, up) is None
    assert unusual_step(steps, 0.1, TESTS, down).ratio == pytest.approx(9)  # type: ignore[union-attr]
    for unknown in ([*flat[:5], None, *flat[6:]], [*up[:-2], 0.0, 0.0], up[1:]):
        assert unusual_step(steps, 0.1, TESTS, unknown).ratio == pytest.approx(9)  # type: ignore[union-attr]


def test_too_little_is_known() -> None:
    assert unusual_step(after(*[0] * 7, 99), 1.0, TESTS) is None, "seven steps before the newest"
    assert unusual_step(after(*[0] * 8, 99), 1.0, TESTS) is not None
    assert unusual_step([], 1.0, TESTS) is None
    assert unusual_step([1.0], 1.0, TESTS) is None


def test_only_the_trailing_twenty_count() -> None:
    found = unusual_step(after(*[99] * 5, *[0] * 20, 5), 1.0, TESTS)
    assert found is not None and found.n == 20
    assert unusual_step(after(*[99] * 5, *[0] * 19, 5), 1.0, TESTS) is None


def test_missing_values_break_steps() -> None:
    values: list[float | None] = [0.0] * 12
    values[2] = None
    found = unusual_step([*values, 5.0], 1.0, TESTS)
    assert found is not None and found.n == 9, "of eleven, two touch the gap"
    assert unusual_step([*values, None], 1.0, TESTS) is None
    assert unusual_step([*values[:-1], None, 5.0], 1.0, TESTS) is None, "no step over the gap"
