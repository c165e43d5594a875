"""When the analyzer may compute: windows, idle devices, after the training."""

from __future__ import annotations

import time

import pytest

from analyzer.supervisor import compute_slot as slots
from analyzer.supervisor.compute_slot import Slot, in_window, parse_slot


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
