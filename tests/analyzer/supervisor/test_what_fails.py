"""What becomes of failures: tried again, explained, refused, given up, or nobody's fault."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analyzer.jobs.messages import Event, Failure, Job
from analyzer.supervisor.attempts import Ledger
from analyzer.supervisor.disk_pause import FIRST_PAUSE_S
from analyzer.supervisor.plan import Plan
from shared.errors import MidwatchError, RunError
from shared.records import CheckpointState
from shared.run import Run
from tests.making.fake_engine import Behaviour, FakeEngine, failing, work
from tests.making.runs import describe
from tests.making.stage import Stage
from trainer.announce import announce


def test_backoff_then_quarantine_then_retry(tmp_path: Path, template: Path) -> None:
    stage = Stage(
        describe(tmp_path / "run"), template, Plan(backoff_s=10), FakeEngine(failing(Failure.CRASH, "dead"))
    )
    stage.add(10)
    stage.add(20)
    stage.steps(3, 1)
    row = stage.status.checkpoints[1]
    assert (row.state, row.attempts, row.cause) == (CheckpointState.RETRYING, 1, "dead")
    assert row.retry_at is not None
    assert stage.engine.names == ["checkpoint-20", "checkpoint-10"], "the rest goes on meanwhile"
    stage.steps(60, 1)
    assert stage.states == {10: "quarantined", 20: "quarantined"}
    assert sorted(stage.engine.names) == ["checkpoint-10"] * 3 + ["checkpoint-20"] * 3
    pins = sorted(path.name for path in stage.target.glob("_midwatch/pins/*"))
    assert pins == ["checkpoint-10", "checkpoint-20"], "kept for `midwatch retry`, whatever the trainer deletes"
    assert stage.engine.jobs[-1].batch_divisor == 4, "a worker that died may have wanted memory"
    stage.steps(60, 100)
    assert len(stage.engine.jobs) == 6
    stage.engine.behaviour = work
    Ledger(Run.at(stage.target).attempts).reset("checkpoint-10")
    stage.steps(4)
    assert stage.states == {10: "done", 20: "quarantined"}


def test_one_failing_analysis_does_not_cost_the_others(stage: Stage) -> None:
    def partly(job) -> list[Event]:
        job = job.model_copy(update={"analyses": ["layers"]})
        events = work(job)
        failed = Event(
            kind="failed", job=job.id, analysis="tokens", failure=Failure.ANALYSIS, cause="ValueError: no"
        )
        return [*events[:-1], failed, events[-1]]

    stage.engine.behaviour = partly
    stage.add(10)
    stage.steps(60)
    row = stage.status.checkpoints[0]
    assert (row.state, row.attempts) == (CheckpointState.QUARANTINED, 3)
    assert (row.done, row.missing) == (["layers"], ["tokens"])
    assert row.cause == "tokens: ValueError: no"


def dying(job: Job) -> list[Event]:
    """The first analysis is committed; then the worker dies."""
    events = work(job.model_copy(update={"analyses": job.analyses[:1]}))
    died = Event(kind="failed", job=job.id, failure=Failure.CRASH, cause="dead")
    return [*events[:-1], died, events[-1]]


def in_turn(stage: Stage, *behaviours: Behaviour) -> None:
    """Each job is done the next way, and the last way from then on."""
    left = list(behaviours)
    stage.engine.behaviour = lambda job: (left.pop(0) if len(left) > 1 else left[0])(job)


def test_a_committed_result_makes_up_for_what_failed_before(stage: Stage) -> None:
    """Two failures, and a third one that got on: that is the first of what is left."""
    dead = failing(Failure.CRASH, "dead")
    in_turn(stage, dead, dead, dying, dead, work)
    stage.add(10)
    stage.steps(60)
    assert stage.states == {10: "done"}
    assert len(stage.engine.jobs) == 5


def test_a_change_meanwhile_does_not_make_up_for_what_failed_before(stage: Stage) -> None:
    dead = failing(Failure.CRASH, "dead")
    in_turn(stage, dead, dead, failing(Failure.CHANGED, "overwritten"), dead)
    stage.add(10)
    stage.steps(100)
    assert stage.states == {10: "quarantined"}
    assert len(stage.engine.jobs) == 4


def test_what_cannot_be_computed_is_explained_and_not_tried_again(stage: Stage) -> None:
    def cannot(job) -> list[Event]:
        events = work(job.model_copy(update={"analyses": [n for n in job.analyses if n == "tokens"]}))
        if "layers" not in job.analyses:
            return events
        failed = Event(
            kind="failed", job=job.id, analysis="layers", failure=Failure.CANNOT, cause="Unknown family."
        )
        return [*events[:-1], failed, events[-1]]

    stage.engine.behaviour = cannot
    stage.add(10)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10"]
    row = stage.status.checkpoints[0]
    assert (row.state, row.done, row.missing) == (CheckpointState.DONE, ["tokens"], ["layers"])
    assert row.cause == "layers: Unknown family."


def test_a_judge_that_cannot_serve_is_rejected_until_it_changes(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.REJECTED, "It has NaN weights.")
    path = stage.add(10)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10"]
    assert stage.states == {10: "rejected"}
    assert stage.cause(10) == "It has NaN weights."
    stage.engine.behaviour = work
    shutil.rmtree(path)
    stage.add(10, shift=0.5)
    stage.steps()
    assert stage.states == {10: "done"}


def test_a_change_meanwhile_uses_no_attempt(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.CHANGED, "overwritten")
    stage.add(10)
    stage.steps(8)
    assert stage.status.checkpoints[0].attempts == 0
    stage.engine.behaviour = work
    stage.steps(3)
    assert stage.states == {10: "done"}


def test_a_full_disk_pauses_and_uses_no_attempt(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.STORAGE, "No space left on device")
    stage.add(10)
    stage.steps(2, 1)
    assert stage.status.state == "paused"
    assert "No space left" in stage.status.message
    jobs = len(stage.engine.jobs)
    stage.step(1)
    assert len(stage.engine.jobs) == jobs, "it waits before it tries again"
    stage.engine.behaviour = work
    stage.steps(30, 1)
    assert stage.states == {10: "done"}
    assert stage.status.state == "idle"
    (watched,) = stage.supervisor.runs.values()
    watched.pause.hit("full", stage.target, stage.now)
    assert watched.pause.over(stage.now + FIRST_PAUSE_S), "after a result the next pause is short again"


def test_our_folder_becomes_unwritable(stage: Stage) -> None:
    """A file in place of the folder stands for a read-only disk: it stops root, too."""
    stage.step()
    stage.add(10)
    attempts = stage.target / "_midwatch" / "attempts"
    attempts.write_text("")
    stage.steps(3)
    assert stage.status.state == "paused"
    assert stage.engine.jobs == []
    attempts.unlink()
    stage.steps(6, 10)
    assert stage.states == {10: "done"}


def test_a_run_that_cannot_be_written_says_so(tmp_path: Path, template: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(template, run / "checkpoint-10")
    (run / "_midwatch").write_text("a file in place of the folder: not even root can write below it")
    stage = Stage(run, template)
    with pytest.raises(RunError, match="--out"):
        stage.step()


def test_stopping_uses_no_attempt(stage: Stage) -> None:
    stage.add(10)
    stage.engine.held = True
    stage.step()
    stage.supervisor.close()
    assert stage.engine.closed
    assert stage.status.state == "stopped"
    assert stage.status.running is None
    assert not (stage.target / "_midwatch" / "lease.json").exists()
    after = replace(stage, engine=FakeEngine(failing(Failure.CRASH)))
    after.steps(3, 1)
    assert after.status.checkpoints[0].attempts == 1


def test_once_on_a_full_disk_ends_with_a_sentence(tmp_path: Path, template: Path) -> None:
    engine = FakeEngine(failing(Failure.STORAGE, "No space left on device"))
    stage = Stage(describe(tmp_path / "run"), template, Plan(once=True), engine)
    stage.add(10)
    stage.steps(2, 1)
    with pytest.raises(MidwatchError, match="No space left"):
        assert stage.supervisor.nothing_left


def test_an_adapter_whose_base_comes_later_is_analysed_by_itself(tmp_path: Path, template: Path) -> None:
    """No retry is needed: what is missing is not the checkpoint's fault."""
    adapter, base = tmp_path / "adapter", tmp_path / "base"
    adapter.mkdir()
    save_file({"lora_A": np.ones(2, np.float32)}, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "/gone/base"}')
    stage = Stage(describe(tmp_path / "run"), adapter)
    path = stage.target / "checkpoint-10"
    shutil.copytree(adapter, path)
    announce(stage.target, 10, 1.0, {})
    stage.steps(3)
    assert stage.states == {10: "rejected"}
    assert "[needs_base]" in stage.cause(10) and "--base DIR" in stage.cause(10) and "retry" not in stage.cause(10)
    assert not stage.engine.jobs
    shutil.copytree(template, base)
    stage.steps(3)
    assert stage.states == {10: "done"}, "found beside the run, by its name"


def test_an_adapter_over_a_base_that_changed_is_analysed_again(tmp_path: Path, template: Path) -> None:
    """And what was found over the base that is back is found again."""
    adapter, base = tmp_path / "adapter", tmp_path / "base"
    shutil.copytree(template, base)
    adapter.mkdir()
    save_file({"lora_A": np.ones(2, np.float32)}, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)})
    )
    stage = Stage(describe(tmp_path / "run"), adapter)
    shutil.copytree(adapter, stage.target / "checkpoint-10")
    announce(stage.target, 10, 1.0, {})
    stage.steps(4)
    assert (stage.states, len(stage.engine.jobs)) == ({10: "done"}, 1)
    config = base / "config.json"
    first = config.read_text()
    config.write_text(first + " ")
    stage.steps(4)
    assert (stage.states, len(stage.engine.jobs)) == ({10: "done"}, 2)
    shutil.rmtree(base)
    stage.steps(2)
    assert (stage.states, len(stage.engine.jobs)) == ({10: "done"}, 2), "what was computed stands"
