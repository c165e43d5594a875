"""Events wake the loop, and only those that are about checkpoints; a system without them says so."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from pathlib import Path
from typing import Literal

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirModifiedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileOpenedEvent,
    FileSystemEvent,
)
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyEmitter

from analyzer.supervisor.file_events import Watcher, _Handler
from tests.making.no_inotify import without_inotify
from tests.making.waiting import wait_until

PATIENCE_S = 20.0


@pytest.fixture
def woken():
    return threading.Event()


@pytest.fixture
def watcher(woken: threading.Event):
    found = Watcher(woken.set)
    yield found
    found.stop()


def announce(commits: Path, name: str = "checkpoint-10.json") -> None:
    (commits / ".temporary").write_text("{}")
    (commits / ".temporary").replace(commits / name)


def test_a_commit_file_wakes(tmp_path: Path, watcher: Watcher, woken: threading.Event) -> None:
    watcher.watch([tmp_path, tmp_path / "commits"])
    (tmp_path / "commits").mkdir()
    watcher.watch([tmp_path, tmp_path / "commits"])
    announce(tmp_path / "commits")
    assert woken.wait(PATIENCE_S)


def test_a_new_checkpoint_wakes(tmp_path: Path, watcher: Watcher, woken: threading.Event) -> None:
    watcher.watch([tmp_path])
    (tmp_path / "checkpoint-10").mkdir()
    assert woken.wait(PATIENCE_S)


def test_what_completes_a_checkpoint_wakes(tmp_path: Path, watcher: Watcher, woken: threading.Event) -> None:
    path = tmp_path / "checkpoint-10"
    path.mkdir()
    watcher.watch([tmp_path, path])
    assert woken.is_set(), "what happened before it was watched has to be looked for"
    watcher.watch([tmp_path, path])
    woken.clear()
    (path / "trainer_state.json").write_text("{}")
    assert woken.wait(PATIENCE_S)


def test_a_checkpoint_that_was_made_is_heard_of_even_when_it_is_gone(tmp_path: Path, watcher: Watcher) -> None:
    watcher.watch([tmp_path])
    (tmp_path / "checkpoint-10").mkdir()
    (tmp_path / "checkpoint-10").rmdir()
    (tmp_path / "other").mkdir()
    heard = wait_until(lambda: list(watcher.heard()), "the event")
    assert heard == [(tmp_path, "checkpoint-10")]
    assert list(watcher.heard()) == []


@pytest.mark.parametrize(
    ("event", "wakes"),
    [
        (DirCreatedEvent("run/checkpoint-10"), True),
        (FileMovedEvent("commits/.temporary", "commits/checkpoint-10.json"), True),
        (FileModifiedEvent("commits/checkpoint-10.json"), True),
        (FileModifiedEvent("run/metrics.jsonl"), False),
        (DirModifiedEvent("run"), False),
        (FileOpenedEvent("commits/checkpoint-10.json"), False),
        (FileCreatedEvent(b"run/\xff\xfe"), False),
        (FileClosedEvent("run/checkpoint-10/trainer_state.json"), True),
        (FileModifiedEvent("run/checkpoint-10/trainer_state.json"), True),
        (FileMovedEvent("run/checkpoint-10/.tmp", "run/checkpoint-10/model.safetensors"), True),
        (FileClosedEvent("run/checkpoint-10/config.json"), True),
        (FileModifiedEvent("run/checkpoint-10/model.safetensors"), False),
        (FileClosedEvent("run/checkpoint-10/optimizer.pt"), False),
        (FileDeletedEvent("run/checkpoint-10/model.safetensors"), False),
        (FileDeletedEvent("run/checkpoint-10/checkpoint-is-incomplete.txt"), True),
        (FileClosedEvent("run/logs/trainer_state.json"), False),
    ],
)
def test_only_checkpoints_wake(event: FileSystemEvent, wakes: bool, woken: threading.Event) -> None:
    """A log that grows a hundred times a second must not cost a look at the disk each time."""
    _Handler(woken.set).on_any_event(event)
    assert woken.is_set() is wakes


def test_a_replaced_directory_is_watched_anew(tmp_path: Path, watcher: Watcher, woken: threading.Event) -> None:
    commits = tmp_path / "commits"
    commits.mkdir()
    watcher.watch([commits])
    woken.clear()
    shutil.rmtree(commits)
    assert woken.wait(PATIENCE_S), "what is gone has to be watched anew, whatever inode its successor gets"
    commits.mkdir()
    watcher.watch([commits])
    woken.clear()
    announce(commits)
    assert woken.wait(PATIENCE_S)


WATCH = (
    "import sys, logging; from pathlib import Path; from analyzer.supervisor.file_events import Watcher\n"
    "logging.basicConfig(); watcher, path = Watcher(lambda: None), Path(sys.argv[1])\n"
    "for _ in range(3): watcher.watch([path, path / 'a'])\n"
    "watcher.stop(); print('went on')"
)


@pytest.mark.parametrize("limit", ["instances", "watches"])
def test_inotify_limits_are_said_once_and_polling_remains(
    tmp_path: Path, limit: Literal["instances", "watches"]
) -> None:
    """Where every instance is taken even making an observer fails, which ended the supervisor at its start."""
    (tmp_path / "a").mkdir()
    done = without_inotify(limit, WATCH, tmp_path)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
    assert done.stderr.count("no file events ([Errno") == 1
    assert "midwatch doctor" in done.stderr


def test_an_event_while_the_watch_ends_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The emitter's thread may find itself stopped just before it reads."""
    emitter = InotifyEmitter(queue.Queue(), ObservedWatch(str(tmp_path), recursive=False))  # type: ignore[arg-type]
    emitter.queue_events(0.1)
    assert not caplog.records
    logging.getLogger("watchdog.observers.inotify").error("something else")
    assert [record.message for record in caplog.records] == ["something else"]
