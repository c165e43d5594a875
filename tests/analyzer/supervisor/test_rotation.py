"""A training that keeps one checkpoint: what it deletes is analysed from its pin, or named as lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.checkpoints.pins import PinStore
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.vanished import Vanished
from shared.files import read_record, write_record
from shared.records import CheckpointState, CheckpointStatus, GoneCheckpoint, GoneRecord, Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine
from tests.making.rotating import Rotating
from tests.making.runs import describe
from tests.making.stage import Stage
from tests.making.waiting import wait_until
from trainer.announce import announce

SOON_S = 0.1
"""A step of the stage's clock after which nothing has settled."""


@pytest.fixture
def training(stage: Stage) -> Rotating:
    return Rotating(stage.target, stage.template)


def woken(stage: Stage) -> None:
    """A round that an event causes, as it does in the loop."""
    stage.supervisor.notice([stage.target])
    stage.step(SOON_S)


def lost(stage: Stage) -> dict[int, str]:
    """Step -> cause of what is gone, as gone.json remembers it."""
    path = Run.at(stage.target).gone
    return {each.step: each.cause for each in read_record(path, GoneRecord).checkpoints} if path.exists() else {}


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)


def test_what_is_rotated_before_it_settles_is_analysed_from_its_pin(stage: Stage, training: Rotating) -> None:
    for step in range(10, 60, 10):
        training.save(step)
        woken(stage)
    assert stage.engine.jobs == [], "nothing is believed before it has settled"
    stage.steps(12)
    assert stage.states == dict.fromkeys(range(10, 60, 10), "done")
    assert all(job.pinned for job in stage.engine.jobs)
    assert lost(stage) == {}
    assert not list(Run.at(stage.target).pins.iterdir())


def test_also_while_the_worker_starts(stage: Stage, training: Rotating) -> None:
    known, stage.engine.computations = stage.engine.computations, {}
    for step in (10, 20, 30):
        training.save(step)
        woken(stage)
    assert stage.status.state == "starting"
    stage.supervisor.computations = known
    stage.steps(12)
    assert stage.states == {10: "done", 20: "done", 30: "done"}


def test_and_after_a_restart(stage: Stage, training: Rotating) -> None:
    training.save(10)
    woken(stage)
    training.save(20)
    after = stage.restart()
    after.steps(8)
    assert after.states == {10: "done", 20: "done"}


def test_announced_ones_need_not_settle(stage: Stage, training: Rotating) -> None:
    for step in (10, 20, 30):
        training.save(step)
        announce(stage.target, step, None, {})
        woken(stage)
    assert stage.engine.names[0] == "checkpoint-10"
    stage.steps(8)
    assert stage.states == {10: "done", 20: "done", 30: "done"}


def test_the_last_step_of_the_plan_does_not_let_go_of_the_ones_before(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=20), template)
    training = Rotating(stage.target, template)
    training.save(10)
    woken(stage)
    training.save(20)
    stage.steps(8)
    assert stage.states == {10: "done", 20: "done"}


def test_in_the_middle_of_a_deletion_the_whole_pin_stays(stage: Stage, training: Rotating) -> None:
    path = training.save(10)
    woken(stage)
    for name in ("tokenizer.json", "model.safetensors", "config.json"):
        (path / name).unlink()
        woken(stage)
    shutil.rmtree(path)
    stage.steps(6)
    assert stage.states == {10: "done"}
    assert {"tokenizer.json", "model.safetensors"} <= {file.name for file in stage.engine.jobs[0].files}


def test_what_is_first_seen_in_the_middle_of_its_deletion_is_not_believed(stage: Stage, training: Rotating) -> None:
    path = training.save(10)
    (path / "tokenizer_config.json").unlink()
    os.utime(path, ns=(0, (path / "trainer_state.json").stat().st_mtime_ns + 10**7))  # 10 ms later
    woken(stage)
    training.save(20)
    stage.steps(8)
    assert stage.states == {10: "gone", 20: "done"}
    assert stage.engine.names == ["checkpoint-20"]


def test_weights_overwritten_under_their_pin_are_never_analysed(stage: Stage, training: Rotating) -> None:
    """A trainer whose safetensors truncates in place writes into the pinned file."""
    path = training.save(10)
    woken(stage)
    with (path / "model.safetensors").open("r+b") as weights:
        shutil.rmtree(path)
        weights.truncate(100)
    training.save(20)
    stage.steps(8)
    assert stage.states == {10: "gone", 20: "done"}
    assert "overwritten meanwhile" in stage.cause(10)
    assert stage.engine.names == ["checkpoint-20"]


def test_without_links_what_is_rotated_is_named_and_remembered(
    stage: Stage, training: Rotating, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refuse_links(monkeypatch)
    for step in (10, 20, 30):
        training.save(step)
        woken(stage)
    stage.steps(6)
    assert stage.states == {10: "gone", 20: "gone", 30: "done"}
    for cause in lost(stage).values():
        assert "hard links are not possible here (Invalid cross-device link)" in cause
        assert "save_total_limit" in cause
    assert caplog.text.count("checkpoint-10 was deleted before its turn") == 1
    after = stage.restart()
    after.steps(4)
    assert after.states == {10: "gone", 20: "gone", 30: "done"}
    assert caplog.text.count("checkpoint-10 was deleted before its turn") == 1, "it was said already"


def test_when_the_pins_budget_is_spent_that_is_the_cause(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(pin_budget=1000))
    training = Rotating(stage.target, template)
    training.save(10)
    woken(stage)
    training.save(20)
    stage.steps(6)
    assert stage.states == {10: "gone", 20: "done"}
    assert "--pin-budget were spent" in stage.cause(10)


def test_an_event_is_enough_to_know_of_one_that_no_scan_saw(stage: Stage, training: Rotating) -> None:
    stage.step()
    training.save(10)
    training.save(20)
    stage.supervisor.hear([(stage.target, "checkpoint-10"), (stage.target, "checkpoint-20")])
    stage.steps(6)
    assert stage.states == {10: "gone", 20: "done"}
    assert "AnnounceCheckpoint" in stage.cause(10)


def test_the_best_model_that_a_training_saves_beside_its_checkpoints_is_not_lost(
    stage: Stage, training: Rotating
) -> None:
    for step in (10, 20):
        checkpoint = training.save(step, rotate=False)
        announce(stage.target, step, step / 10, {})
    shutil.copytree(checkpoint, stage.target / "best")
    stage.supervisor.hear([(stage.target, "best"), (stage.target, "final")])
    stage.steps(6)
    assert stage.states == {10: "done", 20: "done"}
    assert lost(stage) == {}


def test_and_so_is_its_announcement(stage: Stage, training: Rotating) -> None:
    for step in (10, 20):
        training.save(step)
        announce(stage.target, step, None, {})
    stage.steps(6)
    assert stage.states == {10: "gone", 20: "done"}
    assert "was announced" in stage.cause(10)


def test_what_waited_while_no_analyzer_watched(stage: Stage, training: Rotating) -> None:
    path = training.save(10)
    (path / "trainer_state.json").unlink()
    stage.step()
    training.save(20)
    after = stage.restart()
    after.steps(6)
    assert after.states == {10: "gone", 20: "done"}
    assert "while no analyzer watched" in after.cause(10)


def test_an_interrupted_save_that_is_cleared_away_was_no_checkpoint(stage: Stage, training: Rotating) -> None:
    training.save(10)
    path = training.save(20, rotate=False)
    (path / "trainer_state.json").unlink()
    stage.steps(4)
    shutil.rmtree(path)
    stage.steps(4)
    assert stage.states == {10: "done"}


def test_what_was_refused_or_left_out_is_not_lost(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="every:2"))
    training = Rotating(stage.target, template)
    for step, damaged in ((10, True), (20, False), (30, False)):
        path = training.save(step)
        if damaged:
            os.truncate(path / "model.safetensors", 100)
            os.utime(path / "trainer_state.json")
        announce(stage.target, step, None, {})
        stage.steps(4)
    assert stage.states == {30: "done"}
    after = stage.restart()
    after.steps(4)
    assert after.states == {30: "done"}, "also when only their announcements are left"


def test_one_that_is_saved_again_is_no_longer_gone(
    stage: Stage, training: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        refuse_links(without)
        training.save(10)
        woken(stage)
        training.save(20)
        woken(stage)
    assert list(lost(stage)) == [10]
    training.save(10)
    stage.steps(6)
    assert stage.states[10] == "done"
    assert 10 not in lost(stage)


def test_events_alone_keep_up_with_a_training_in_another_process(tmp_path: Path, template: Path) -> None:
    """No look at the disk is due but by events; the training goes on when a checkpoint is kept."""
    run = Run.at(describe(tmp_path / "run"))
    plan = replace(Plan(), rescan_s=100_000.0)
    engine = FakeEngine()
    supervisor = Supervisor([run.path], plan, engine)
    thread = threading.Thread(target=supervisor.run)
    command = [sys.executable, "-m", "tests.making.rotating", str(run.path), str(template)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as training:
        assert training.stdin is not None
        thread.start()
        try:
            wait_until(run.status.exists, "the supervisor")
            for step in (10, 20, 30):
                training.stdin.write(f"{step}\n")
                training.stdin.flush()
                done = run.results / f"checkpoint-{step}"
                wait_until(
                    lambda step=step, done=done: (run.pins / f"checkpoint-{step}").exists() or done.exists(), "it"
                )
            training.stdin.close()
            wait_until(lambda: states(run) == {10: "done", 20: "done", 30: "done"}, "all of them")
        finally:
            supervisor.stop()
            thread.join()
    assert training.returncode == 0
    assert not run.gone.exists()


def states(run: Run) -> dict[int, str]:
    return {row.step: row.state.value for row in read_record(run.status, Status).checkpoints}


def test_what_is_lost_under_another_name_is_remembered_too(tmp_path: Path) -> None:
    """An own loop's: what was lost before, what was left waiting, and what only an event told of."""
    run = Run.at(describe(tmp_path / "run"))
    earlier = GoneCheckpoint(checkpoint="epoch_1", step=1, epoch=1.0, cause="It was deleted.", noticed_at=5.0)
    write_record(run.gone, GoneRecord(checkpoints=[earlier]))
    waiting = CheckpointStatus(checkpoint="epoch_2", step=2, epoch=2.0, state=CheckpointState.QUEUED)
    told = {"pid": 1, "host": "h", "started_at": 0.0, "heartbeat_at": 0.0, "version": "1", "state": "stopped"}
    write_record(run.status, Status.model_validate(told | {"device": "cpu", "checkpoints": [waiting]}))
    vanished = Vanished(run, PinStore(run.pins, 0))
    points = {point.name: point for point in vanished.points(["epoch_3"])}
    assert {name: point.step for name, point in points.items()} == {"epoch_1": 1, "epoch_2": 2, "epoch_3": 3}
    points["epoch_4"] = Point("epoch_4", 4, None)
    vanished.look({}, points, {}, (), 6.0)
    again = read_record(run.gone, GoneRecord).checkpoints
    assert [each.checkpoint for each in again] == ["epoch_1", "epoch_2", "epoch_3"] and again[0] == earlier


def test_what_was_saved_again_before_it_was_deleted_is_gone_and_not_tried_for_ever(stage: Stage) -> None:
    """Its pin shows what was written into the linked weights: nothing is left of what had passed the gate."""
    stage.engine.held = True
    path = stage.add(10)
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-10"]
    with (path / "model.safetensors").open("r+b") as file:
        file.write(bytes(64))
    shutil.rmtree(path)
    stage = stage.restart()
    stage.steps(6)
    assert stage.states == {10: "gone"} and stage.engine.names == []
    assert stage.results() == [] and not list(stage.target.glob("_midwatch/pins/*"))
