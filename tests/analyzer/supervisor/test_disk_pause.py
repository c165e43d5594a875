"""Pausing for a disk that is full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyzer.supervisor.disk_pause import Pause, can_write, unwritable


def test_it_waits_longer_each_time_until_something_is_committed(tmp_path: Path) -> None:
    pause = Pause()
    assert pause.over(0.0)
    waits = []
    now = 0.0
    for _ in range(8):
        pause.hit("full", tmp_path, now)
        wait = next(s for s in range(1, 400) if Pause.over(pause, now + s))
        waits.append(wait)
        now += 1000
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    pause.clear()
    pause.hit("full", tmp_path, now)
    assert not pause.over(now + 4)
    assert pause.over(now + 5)


def test_a_disk_that_refuses_again_meanwhile_is_said_once_and_waits_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pause = Pause()
    pause.hit("full", tmp_path, 0.0)
    pause.hit("still full", tmp_path, 4.0)
    assert [record.__dict__["event"] for record in caplog.records] == ["paused"]
    assert pause.cause == "still full"
    assert pause.over(5.0)


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


def test_bytes_count_once_they_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full network disk takes every write and refuses at the end."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not can_write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_comes_at_the_last_moment_is_not_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    precious.write_text("precious")
    folder.mkdir()
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: path.symlink_to(precious))
    assert not can_write(folder)
    assert precious.read_text() == "precious"


def test_a_disk_that_takes_one_trial_is_not_tried_for_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def trial(folder: Path) -> bool:
        tried.append(folder.name)
        return folder.name != "a"

    monkeypatch.setattr("analyzer.supervisor.disk_pause.can_write", trial)
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
    assert unwritable(folders) == {folders[0]}
    assert tried == ["a", "b"]
