"""When the analyzer may compute: windows, idle devices, after the training."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analyzer.supervisor import compute_slot as slots
from analyzer.supervisor.compute_slot import Slot, Slots, in_window, parse_slot
from tests.making.waiting import wait_until


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
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "21:59", False),
        ("09:00-17:30", "09:00", True),
        ("09:00-09:00", "09:00", False),
        ("09:00-09:00", "12:00", False),
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
    assert slot.open(11.0, False), "for five seconds"


def test_what_our_own_workers_do_is_nobodys_load(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    times = psutil.cpu_times()
    zero = type(times)(*([0.0] * len(times)))
    loads = iter(
        [zero._replace(idle=10.0), zero._replace(idle=11.0, user=9.0), zero._replace(idle=12.0, user=18.0)]
    )
    ours = iter([100.0, 108.0, 110.0])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(loads))
    monkeypatch.setattr(slots, "_own_cpu_s", lambda: next(ours))
    slot = Slot("idle")
    assert not slot.open(0.0, False)
    assert slot.open(6.0, False), "of 10 seconds 8 were ours, 1 idle"
    assert not slot.open(12.0, False), "of 10 seconds 2 were ours, 1 idle"


def test_a_worker_that_computes_counts_as_ours() -> None:
    before = slots._own_cpu_s()
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        wait_until(lambda: slots._own_cpu_s() - before > 0.3, "a worker's CPU seconds")
    finally:
        worker.kill()
        worker.wait()
    assert slots._own_cpu_s() - before > 0.2, "also when it has ended"


def test_each_device_has_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "_gpu_idle", lambda device: device == "cuda:1")
    assert Slots("idle").open_on(["cuda:0", "cuda:1"], 0.0, False) == {"cuda:1"}
    assert Slots("always").open_on(["cuda:0", "cpu"], 0.0, False) == {"cuda:0", "cpu"}
    assert Slots("after-training").open_on(["cpu"], 0.0, False) == set()


def test_a_clock_of_the_cpu_that_stands_still_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    times = psutil.cpu_times()
    still = type(times)(*([10.0] * len(times)))
    monkeypatch.setattr(psutil, "cpu_times", lambda: still)
    slot = Slot("idle")
    assert not slot.open(0.0, False)
    assert not slot.open(6.0, False)


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi that lists the processes in a file, and fails without it."""
    listed = tmp_path / "listed"
    command = tmp_path / "nvidia-smi"
    command.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexec cat {listed}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return listed


def test_a_gpu_is_idle_while_nobody_but_us_computes_on_it(smi: Path) -> None:
    smi.write_text("")
    assert Slot("idle", "cuda").open(0.0, False)
    assert "--id=0" in (smi.parent / "asked").read_text()
    smi.write_text(f"{os.getpid()}\n")
    assert Slot("idle", "cuda:1").open(0.0, False)
    assert "--id=1" in (smi.parent / "asked").read_text()
    smi.write_text(f"{os.getpid()}\n{os.getppid()}\n")
    assert not Slot("idle", "cuda").open(0.0, False)


@pytest.mark.parametrize(
    ("visible", "device", "looked_at"),
    [
        ("2,3", "cuda:0", "2"),
        ("2,3", "cuda:1", "3"),
        ("5", "cuda", "5"),
        ("GPU-ab, GPU-cd", "cuda:1", "GPU-cd"),
        ("", "cuda:1", "1"),
    ],
)
def test_the_gpu_that_is_looked_at_is_the_one_that_cuda_means(
    smi: Path, monkeypatch: pytest.MonkeyPatch, visible: str, device: str, looked_at: str
) -> None:
    smi.write_text("")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert Slot("idle", device).open(0.0, False)
    assert f"--id={looked_at}" in (smi.parent / "asked").read_text().split()


def test_our_workers_are_us(smi: Path) -> None:
    worker = subprocess.Popen(["sleep", "60"])
    try:
        smi.write_text(f"{worker.pid}\n")
        assert Slot("idle", "cuda").open(0.0, False)
    finally:
        worker.kill()
        worker.wait()


def test_a_gpu_of_which_nobody_can_tell_is_never_idle(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Slot("idle", "cuda").open(0.0, False), "nvidia-smi fails"
    monkeypatch.setenv("PATH", "")
    assert not Slot("idle", "cuda").open(0.0, False), "there is none"
