"""Pausing for a disk that is full."""

from __future__ import annotations

from pathlib import Path

from analyzer.supervisor.disk_pause import Pause, can_write


def test_it_waits_longer_each_time_until_something_is_committed(tmp_path: Path) -> None:
    pause = Pause()
    assert pause.over(0.0)
    waits = []
    now = 0.0
    for _ in range(3):
        pause.hit("full", tmp_path, now)
        wait = next(s for s in range(1, 400) if Pause.over(pause, now + s))
        waits.append(wait)
        now += 1000
    assert waits == [5, 10, 20]
    pause.clear()
    pause.hit("full", tmp_path, now)
    assert not pause.over(now + 4)
    assert pause.over(now + 5)


def test_time_alone_is_not_enough(tmp_path: Path) -> None:
    pause = Pause()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file in place of the folder: not even root can write below it")
    pause.hit("full", blocked, 0.0)
    assert not pause.over(1000.0)
    assert pause.cause == "full"
    blocked.unlink()
    assert pause.over(1001.0)


def test_a_trial_leaves_nothing(tmp_path: Path) -> None:
    assert can_write(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
