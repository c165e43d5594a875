"""What is wanted and when: selection, policy, interval, slot."""

from __future__ import annotations

import time

import pytest

from analyzer.commands.checkpoint_choice import parse_ranges, select
from analyzer.supervisor import compute_slot as slots
from analyzer.supervisor.compute_slot import Slot, in_window, parse_slot
from analyzer.supervisor.schedule import Point, in_order, left_out, parse_policy
from shared.errors import RunError

KNOWN = [Point(f"checkpoint-{10 * i}", 10 * i, i / 2) for i in range(1, 9)]  # epochs 0.5 .. 4


def steps(**options: object) -> list[int]:
    return [int(name.partition("-")[2]) for name in select(KNOWN, **options)]  # type: ignore[arg-type]


def test_selection() -> None:
    assert steps() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert steps(epochs="1,3-4") == [20, 60, 80]
    assert steps(steps="15-35") == [20, 30]
    assert steps(epochs="4", steps="10") == [10, 80]
    assert steps(last=2) == [70, 80]
    assert steps(every=3) == [10, 40, 70]
    assert steps(epochs="1-4", every=2, last=1) == [60]


def test_an_empty_selection_says_what_there_is() -> None:
    with pytest.raises(RunError, match=r"step 10, epoch 1 \(step 20\)"):
        steps(epochs="9")
    with pytest.raises(RunError, match="no complete checkpoints"):
        select([])


@pytest.mark.parametrize("text", ["", "a", "1,", "5-1", "1-2-3", "-1", "1.5"])
def test_bad_ranges(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|backwards"):
        parse_ranges(text)


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


def test_every_nth() -> None:
    assert wanted(points(1, 2, 3, 4, 5, 6), "every:2") == [0, 2, 4]
    assert wanted(points(1, 2, 3, 4, 5, 6), "every:4", over=True) == [0, 4, 5]


def test_order() -> None:
    three = points(1, 2, 3)
    assert [p.step for p in in_order(three, "newest")] == [2, 1, 0]
    assert [p.step for p in in_order(three, "all")] == [0, 1, 2]
    assert [p.step for p in in_order(three, "every:2")] == [0, 1, 2]


def test_nothing_yet() -> None:
    assert left_out([], "newest", 1, False) == {}


@pytest.mark.parametrize("text", ["oldest", "every", "every:0", "every:x", ""])
def test_bad_policies(text: str) -> None:
    with pytest.raises(ValueError, match="a policy is"):
        parse_policy(text)


@pytest.mark.parametrize("text", ["never", "22:00", "25:00-06:00", "22:60-06:00", ""])
def test_bad_slots(text: str) -> None:
    with pytest.raises(ValueError, match="a slot is"):
        parse_slot(text)


def at(clock: str) -> float:
    return time.mktime(time.strptime(f"2026-03-04 {clock}", "%Y-%m-%d %H:%M"))


@pytest.mark.parametrize(
    ("slot", "clock", "inside"),
    [
        ("22:00-06:00", "23:30", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("22:00-06:00", "12:00", False),
        ("09:00-17:30", "17:29", True),
        ("09:00-17:30", "17:30", False),
        ("09:00-17:30", "08:59", False),
    ],
)
def test_windows(slot: str, clock: str, inside: bool) -> None:
    assert in_window(parse_slot(slot), at(clock)) is inside
    assert Slot(slot).open(at(clock), training_over=False) is inside


def test_other_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Slot("always").open(0.0, False)
    assert not Slot("after-training").open(0.0, False)
    assert Slot("after-training").open(0.0, True)
    monkeypatch.setattr(slots, "_gpu_idle", lambda device: device == "cuda:1")
    assert Slot("idle", "cuda:1").open(0.0, False)
    assert not Slot("idle", "cuda:0").open(0.0, False)


def test_an_idle_cpu_is_told_from_its_times(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    times = psutil.cpu_times()
    zero = type(times)(*([0.0] * len(times)))
    loads = iter([zero._replace(idle=10.0), zero._replace(idle=12.0, user=8.0), zero._replace(idle=22.0, user=8.0)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(loads))
    slot = Slot("idle")
    assert not slot.open(0.0, False), "one look says nothing"
    assert not slot.open(6.0, False), "8 of 10 seconds were work"
    assert not slot.open(6.1, False), "the last look still holds"
    assert slot.open(12.0, False)
