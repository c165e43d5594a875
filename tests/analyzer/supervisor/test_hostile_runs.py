"""Whatever lies in one run of a folder, the others are analysed, and nothing is waited for."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import RunError
from shared.files import read_record
from shared.records import Status
from shared.run import Run, find_runs
from tests.making.fake_engine import FakeEngine
from tests.making.hostile import BARRED_RUN, LOST_CHECKPOINT, LOST_RUN, SPOILED_BOOKS, WHOLE_CHECKPOINT, Maker
from tests.making.mere_user import closed, mere_user
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage

PATIENCE_S = 60.0
"""For a test that hangs where nobody may be waited for."""


@pytest.fixture
def make(tmp_path: Path, template: Path):
    """A run of the folder `runs`, with two checkpoints, spoiled in one way."""

    def made(name: str, spoil: Maker | None = None) -> Path:
        run = describe(tmp_path / "runs" / name)
        for step in (10, 20):
            add_checkpoint(run, step, template, step / 10)
        if spoil is not None:
            spoil(run)
        return run

    return made


def watch(folder: Path, template: Path, steps: int = 40) -> Stage:
    """Watch a folder for some minutes of its own clock; what hangs fails the test."""
    stage = Stage(folder, template, Plan())
    thread = threading.Thread(target=stage.steps, args=(steps, 30), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "something is waited for"
    return stage


def states(run: Path) -> dict[str, str]:
    status = read_record(Run.at(run).status, Status)
    return {row.checkpoint: row.state.value for row in status.checkpoints}


DONE = {"checkpoint-10": "done", "checkpoint-20": "done"}


KINDS = {
    **{kind: {"done"} for kind in (*WHOLE_CHECKPOINT, *SPOILED_BOOKS)},
    **{kind: {"rejected", "done"} for kind in LOST_CHECKPOINT},
    **{kind: {"queued"} for kind in LOST_RUN},
}
ALL = {**WHOLE_CHECKPOINT, **SPOILED_BOOKS, **LOST_CHECKPOINT, **LOST_RUN}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_beside_a_healthy_run(make, template: Path, kind: str) -> None:
    odd, healthy = make("odd", ALL[kind]), make("healthy")
    started = time.process_time()
    watch(odd.parent, template, 8)
    assert time.process_time() - started < 5
    assert states(healthy) == DONE
    found = states(odd) if Run.at(odd).status.exists() else dict.fromkeys(DONE, "queued")
    assert found.keys() == DONE.keys()
    assert set(found.values()) == KINDS[kind]
    assert KINDS[kind] == {"queued"} or found["checkpoint-20"] == "done"


def test_a_run_whose_name_is_no_text_is_left_out_and_named(
    make, template: Path, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = make("healthy")
    (healthy.parent / os.fsdecode(b"r\xffn") / "checkpoint-10").mkdir(parents=True)
    watch(healthy.parent, template, 6)
    assert states(healthy) == DONE
    assert "'r\\udcffn'" in caplog.text and "is not named in UTF-8" in caplog.text
    with pytest.raises(RunError, match="not named in UTF-8"):
        Run.at(healthy.parent / os.fsdecode(b"r\xffn"))


@pytest.mark.parametrize("kind", sorted(LOST_RUN))
def test_a_run_that_is_lost_says_why(make, template: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    run = make("run", LOST_RUN[kind])
    watch(run.parent, template, 3)
    told = caplog.text + (read_record(path, Status).message if (path := Run.at(run).status).exists() else "")
    assert any(sentence in told for sentence in ("is no regular file", "is a symbolic link", "half a character"))


def test_a_directory_that_cannot_be_entered_hides_nothing_else(
    make, tmp_path: Path, template: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, barred, other = make("good"), make("barred"), tmp_path / "runs" / "lost+found"
    other.mkdir()
    with closed(barred, other):
        assert find_runs(tmp_path / "runs") == [good]
        stage = Stage(tmp_path / "runs", template, Plan())
        stage.steps(6, 10)
        assert states(good) == DONE
        assert "lost+found cannot be looked into (Permission denied)" in caplog.text
    stage.steps(6, 10)
    assert states(barred) == DONE


@pytest.mark.parametrize("kind", sorted(BARRED_RUN))
def test_a_run_that_a_mere_user_may_not_enter_hides_nothing_else(make, template: Path, kind: str) -> None:
    odd, healthy = make("odd"), make("healthy")
    before = {path: path.stat().st_mode for path in (odd, odd / "_midwatch")}
    BARRED_RUN[kind](odd)
    stage = Stage(odd.parent, template, Plan())
    try:
        with mere_user():
            stage.steps(8, 10)
        assert states(healthy) == DONE
    finally:
        for path, mode in before.items():
            path.chmod(mode)
    stage.steps(8, 10)
    assert states(odd) == DONE


def test_a_run_that_nobody_may_look_into_later_does_not_stop_the_others(
    make, tmp_path: Path, template: Path
) -> None:
    good, barred = make("good"), make("barred")
    stage = Stage(tmp_path / "runs", template, Plan())
    stage.steps(8, 10)
    for run in (good, barred):
        add_checkpoint(run, 30, template, 3.0)
    with closed(barred):
        stage.steps(8, 10)
        assert states(good) == {**DONE, "checkpoint-30": "done"}
    assert states(barred) == DONE
    stage.steps(80, 10)
    assert states(barred) == {**DONE, "checkpoint-30": "done"}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_an_unreadable_file_costs_its_checkpoint_alone_and_only_while_it_is(
    make, template: Path, name: str
) -> None:
    run = make("run")
    file = run / "checkpoint-10" / name
    with closed(file):
        stage = Stage(run, template, Plan())
        stage.steps(6, 10)
        assert stage.states == {10: "rejected", 20: "done"}
        assert f"{name} of checkpoint-10 cannot be read (Permission denied)" in stage.cause(10)
        assert stage.cause(10).endswith("[unreadable]")
        assert stage.status.state == "idle", "it is not our disk that refuses"
    stage.steps(3, 10)
    assert stage.states == {10: "done", 20: "done"}


@pytest.mark.parametrize("name", ["run.json", "probes.jsonl"])
def test_an_unreadable_description_is_waited_for_and_named(make, template: Path, name: str) -> None:
    run = make("run")
    with closed(run / name):
        stage = Stage(run, template, Plan())
        stage.steps(3, 10)
        assert stage.status.state == "waiting"
        assert f"{name} cannot be read (Permission denied)" in stage.status.message
    stage.steps(4, 10)
    assert stage.states == {10: "done", 20: "done"}


def test_a_place_of_one_run_that_cannot_be_written_does_not_pause_the_others(
    make, tmp_path: Path, template: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, full = make("good"), make("full")
    stage = Stage(tmp_path / "runs", template, Plan(), FakeEngine(held=True))
    stage.step()
    with closed(full / "_midwatch" / "attempts"):
        stage.engine.held = False
        stage.steps(8, 10)
        assert states(good) == DONE
        assert "paused" in caplog.text
    stage.steps(80, 10)
    assert states(full) == DONE


def test_a_full_disk_is_tried_once_for_each_run(make, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each run and each refusal: heartbeats would stand still."""
    runs = [make(name) for name in "abcd"]
    stage = Stage(runs[0].parent, template, Plan())
    stage.step()
    tried = []
    monkeypatch.setattr("analyzer.supervisor.disk_pause.can_write", lambda folder: tried.append(folder))
    for _ in range(3):
        for watched in stage.supervisor.runs.values():
            stage.supervisor.disk.hit(OSError(28, "No space left on device"), watched, stage.now)
    assert len(tried) == len(runs) - 1
    assert all(watched.pause.cause for watched in stage.supervisor.runs.values())


def test_a_folder_in_a_folder_of_runs_names_no_other_place(make, tmp_path: Path, template: Path) -> None:
    elsewhere = make("run").rename(tmp_path / "elsewhere")
    inside = tmp_path / "runs" / "inside"
    (inside / "_midwatch").mkdir(parents=True)
    (inside / "_midwatch" / "source.json").write_text(f'{{"run": "{elsewhere}"}}')
    stage = watch(tmp_path / "runs", template, 4)
    assert stage.engine.jobs == []
    assert Run.at(inside).path == elsewhere, "named by itself it is opened as before"


@pytest.mark.parametrize("named", ["\\ud800", "a\\u0000b", "relative", 3, ["/"]])
def test_a_note_that_names_no_place_is_said(tmp_path: Path, named: object) -> None:
    (tmp_path / "_midwatch").mkdir()
    text = f'"{named}"' if isinstance(named, str) else json.dumps(named)
    (tmp_path / "_midwatch" / "source.json").write_text(f'{{"run": {text}}}')
    with pytest.raises(RunError, match="does not name the run it is about"):
        Run.at(tmp_path)


def test_a_bug_that_one_run_brings_out_does_not_end_the_watch(
    make, tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good, odd = make("good"), make("odd")
    scan = WatchedRun.scan

    def raising(self: WatchedRun, *args) -> None:
        if self.run.name == "odd":
            raise ZeroDivisionError("a bug")
        scan(self, *args)

    monkeypatch.setattr(WatchedRun, "scan", raising)
    stage = watch(tmp_path / "runs", template, 6)
    assert states(good) == DONE
    assert "Midwatch failed on odd (ZeroDivisionError: a bug)" in read_record(Run.at(odd).status, Status).message
    assert caplog.text.count("Traceback") == 1
    stage.supervisor.close()
