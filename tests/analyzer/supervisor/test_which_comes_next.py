"""Which checkpoint comes next, seen on a whole supervisor: policy, interval, selection, slot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analyzer.supervisor.plan import Plan
from shared.errors import UsageError
from tests.making.runs import describe
from tests.making.stage import Stage


def test_newest_first_with_backfill(stage: Stage) -> None:
    for step in (10, 20, 30):
        stage.add(step)
    stage.step()
    stage.add(40)
    stage.steps()
    assert stage.engine.names == ["checkpoint-30", "checkpoint-40", "checkpoint-20", "checkpoint-10"]


def test_all_in_order(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="all"))
    for step in (10, 20, 100):
        stage.add(step)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10", "checkpoint-20", "checkpoint-100"]


def test_interval_and_the_last_one(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=50), template, Plan(policy="all", interval=2))
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps()
    assert stage.states == {10: "done", 20: "done", 30: "skipped"}
    assert "--interval 2" in stage.cause(30)
    stage.add(40)
    stage.add(50)
    stage.steps()
    assert stage.states == {10: "done", 20: "done", 30: "skipped", 40: "done", 50: "done"}
    assert stage.engine.names == ["checkpoint-10", "checkpoint-20", "checkpoint-40", "checkpoint-50"]


def test_the_last_one_of_a_training_that_stopped_early(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=500), template, Plan(policy="all", interval=2, quiet_s=1800))
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps()
    assert stage.states[30] == "skipped"
    stage.step(1801)
    stage.steps(3)
    assert stage.states[30] == "done"


def test_rotation_does_not_shift_every_nth(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="every:3"))
    for step in range(10, 80, 10):
        stage.add(step)
        stage.steps(2)
        if step > 10:
            shutil.rmtree(stage.target / f"checkpoint-{step - 10}")
    assert stage.engine.names == ["checkpoint-10", "checkpoint-40", "checkpoint-70"]


def test_every_nth_is_counted_by_step(tmp_path: Path, template: Path) -> None:
    """checkpoint-100 comes after checkpoint-90, though not in the alphabet."""
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="every:2"))
    for step in (90, 100, 110):
        stage.add(step)
    stage.steps(6)
    assert stage.engine.names == ["checkpoint-90", "checkpoint-110"]


def test_slots(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=20), template, Plan(slot="after-training"))
    stage.add(10)
    stage.steps(3)
    assert stage.engine.jobs == []
    assert (stage.status.state, stage.status.message) == ("waiting", "Waiting for its slot: after-training.")
    stage.add(20)
    stage.steps(5)
    assert stage.states == {10: "done", 20: "done"}


def test_selected_and_forced(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template)
    for step in (10, 20):
        stage.add(step)
    stage.steps(6)
    before = {path: path.stat().st_mtime_ns for path in stage.results()}
    forced = stage.restart(selected=frozenset({"checkpoint-10"}), force=True, once=True)
    forced.steps(6)
    assert forced.engine.names == ["checkpoint-10"]
    assert forced.engine.jobs[0].force
    assert forced.supervisor.nothing_left
    assert {path: path.stat().st_mtime_ns for path in stage.results()} == before, "the fake keeps what is there"


def test_an_analysis_that_does_not_exist(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(only=("tokenz",)))
    with pytest.raises(UsageError, match=r"tokenz.*tokens, layers"):
        stage.steps(2)


def test_only_some_analyses(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(only=("layers",)))
    stage.add(10)
    stage.steps(4)
    assert stage.status.checkpoints[0].done == ["layers"]
    assert stage.status.analyses == ["layers"]
