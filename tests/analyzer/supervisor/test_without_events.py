"""No event comes, or too many: what was saved meanwhile is found by the next rescan."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from analyzer.supervisor import file_events, loop
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from shared.files import read_record
from shared.records import Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage
from tests.making.waiting import wait_until

RESCAN_S = 3.0
MANY = 20_000
"""Files: more than a system keeps events of (16,384 on Linux)."""


def test_without_any_event_a_checkpoint_is_found_within_a_rescan(stage: Stage) -> None:
    """As on a network file system, where none ever comes. The stage has none either."""
    stage.steps(3)
    stage.add(10)
    stage.add(20, announced=False)
    stage.step(RESCAN_S)
    assert stage.engine.names == ["checkpoint-10"]
    stage.step(2)  # what nobody announced settles
    stage.steps(2, 0.1)
    assert stage.states == {10: "done", 20: "done"}


def test_a_folder_of_runs_that_is_replaced_is_found_within_a_rescan(tmp_path: Path, template: Path) -> None:
    """Another tree of the same name, as when a volume is mounted anew: nothing is believed of the old one."""
    folder = tmp_path / "runs"
    add_checkpoint(describe(folder / "run"), 10, template, 1.0)
    stage = Stage(folder, template)
    stage.steps(6)
    folder.rename(tmp_path / "old")
    add_checkpoint(describe(folder / "run"), 20, template, 2.0)
    add_checkpoint(describe(folder / "new"), 30, template, 3.0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")}
    stage.steps(5, RESCAN_S)
    found = {name: read_record(Run.at(folder / name).status, Status).checkpoints for name in ("run", "new")}
    states = {name: {row.checkpoint: row.state.value for row in rows} for name, rows in found.items()}
    assert states == {"run": {"checkpoint-20": "done"}, "new": {"checkpoint-30": "done"}}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")} == before


class Overflowing(file_events.Watcher):
    """Tells nothing of what happened since it was asked last, as a system does whose queue ran over."""

    deaf = threading.Event()

    def heard(self):
        found = list(super().heard())
        return [] if self.deaf.is_set() else found

    def touched(self):
        found = list(super().touched())
        return [] if self.deaf.is_set() else found


def test_what_is_saved_among_very_many_files_while_events_are_lost_is_found(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real events of a real loop, of which those of the checkpoint and of 20,000 other files are lost."""
    monkeypatch.setattr(loop, "Watcher", Overflowing)
    Overflowing.deaf.clear()
    run = describe(tmp_path / "run")
    supervisor = Supervisor([run], Plan(rescan_s=0.5), FakeEngine())
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        wait_until(lambda: Run.at(run).status.exists(), "the first look")
        Overflowing.deaf.set()
        (run / "checkpoint-10" / "global_step10").mkdir(parents=True)
        for number in range(MANY):
            (run / "checkpoint-10" / "global_step10" / f"{number}.pt").touch()
        (run / "checkpoint-10").rename(run / "logs")
        add_checkpoint(run, 20, template, 2.0)
        wait_until(lambda: list(Run.at(run).drawn.glob("checkpoint-20.json")), "the checkpoint")
    finally:
        supervisor.stop()
        thread.join()
    rows = read_record(Run.at(run).status, Status).checkpoints
    assert {row.checkpoint: row.state.value for row in rows}["checkpoint-20"] == "done"
