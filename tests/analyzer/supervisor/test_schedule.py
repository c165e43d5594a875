"""What is wanted and when: selection, policy, interval, slot."""

from __future__ import annotations

import pytest

from analyzer.supervisor.schedule import Point, left_out, parse_policy


def points(*epochs: float | None) -> list[Point]:
    return [Point(f"checkpoint-{i}", i, epoch) for i, epoch in enumerate(epochs)]


def wanted(found: list[Point], policy: str = "newest", interval: int = 1, over: bool = False) -> list[int]:
    skipped = left_out(found, policy, interval, over)
    return [point.step for point in found if point.name not in skipped]


def test_interval_keeps_first_and_last() -> None:
    five = points(1, 2, 3, 4, 5)
    assert wanted(five) == [0, 1, 2, 3, 4]
    assert wanted(five, interval=2) == [0, 1, 3]
    assert wanted(five, interval=2, over=True) == [0, 1, 3, 4]
    assert wanted(five, interval=10, over=True) == [0, 4]


def test_interval_inside_epochs_takes_the_first_at_or_after() -> None:
    halves = points(0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    assert wanted(halves, interval=2) == [0, 3, 7]
    assert wanted(points(0.9, 1.9, 2.9, 3.9), interval=2) == [0, 2]


def test_interval_tolerates_rounding_and_unknown_epochs() -> None:
    assert wanted(points(0.9999, 1.9999, 3.0), interval=2) == [0, 1]
    assert wanted(points(None, None, None), interval=5) == [0, 1, 2]
    assert wanted(points(1, None, 2), interval=5) == [0, 1, 2], "better one too many than none"


def test_every_nth() -> None:
    assert wanted(points(1, 2, 3, 4, 5, 6), "every:2") == [0, 2, 4]
    assert wanted(points(1, 2, 3, 4, 5, 6), "every:4", over=True) == [0, 4, 5]


def test_every_nth_is_counted_in_checkpoints_not_in_steps() -> None:
    found = [Point(f"checkpoint-{step}", step, None) for step in (10, 20, 30, 40)]
    assert wanted(found, "every:2") == [10, 30]


def test_nothing_yet() -> None:
    assert left_out([], "newest", 1, False) == {}


@pytest.mark.parametrize("text", ["oldest", "every", "every:0", "every:x", ""])
def test_bad_policies(text: str) -> None:
    with pytest.raises(ValueError, match="a policy is"):
        parse_policy(text)
