"""More than one run, or more than one analyzer."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.supervisor.plan import Plan
from shared.errors import MidwatchError
from shared.files import read_record
from shared.records import CheckpointState, Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe, snapshot
from tests.making.stage import Stage


def test_a_folder_of_runs(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template)
    stage.step()
    for name in ("a", "b"):
        for step in (10, 20):
            add_checkpoint(describe(tmp_path / name), step, template)
    stage.steps(12)
    assert [(job.run.name, job.checkpoint) for job in stage.engine.jobs[:2]] != [], "both were found"
    assert {job.run.name for job in stage.engine.jobs[:2]} == {"a", "b"}, "runs take turns"
    for name in ("a", "b"):
        status = read_record(tmp_path / name / "_midwatch" / "status.json", Status)
        assert [row.state for row in status.checkpoints] == [CheckpointState.DONE] * 2
    assert not (tmp_path / "_midwatch").exists()


def test_a_run_that_vanishes_is_not_brought_back(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template)
    run = describe(tmp_path / "a")
    add_checkpoint(run, 10, template)
    stage.engine.held = True
    stage.steps(2)
    assert stage.engine.names == ["checkpoint-10"]
    shutil.rmtree(run)
    stage.steps(5)
    assert not run.exists()
    assert not stage.engine.busy
    add_checkpoint(describe(run), 20, template)
    stage.engine.held = False
    stage.steps(4)
    assert read_record(run / "_midwatch" / "status.json", Status).checkpoints[0].state == CheckpointState.DONE


def test_results_elsewhere(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, template)
    shutil.rmtree(run / "_midwatch" / "pins", ignore_errors=True)
    before = snapshot(run)
    stage = Stage(run, template, out=tmp_path / "elsewhere")
    stage.steps(4)
    assert stage.states == {10: "done"}
    assert snapshot(run) == before
    assert Run.at(tmp_path / "elsewhere").path == run


def test_a_second_analyzer_waits(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.add(10)
    stage.step()
    second = replace(stage, engine=FakeEngine())
    second.steps(5, 1)
    assert second.engine.jobs == []
    assert "another analyzer" in caplog.text
    assert caplog.text.count("another analyzer") == 1
    stage.supervisor.close()
    second.now = stage.now = max(stage.now, second.now) + 10
    second.steps(4)
    assert second.engine.names == ["checkpoint-10"]


def test_a_second_analyzer_that_cannot_wait_ends(stage: Stage) -> None:
    stage.step()
    second = replace(stage, engine=FakeEngine(), plan=Plan(once=True))
    with pytest.raises(MidwatchError, match="another analyzer"):
        second.steps(2)
