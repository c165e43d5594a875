"""A task from the command line: which checkpoint, when it is complete, and how it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from analyzer.checkpoints.file_names import INCOMPLETE_MARK
from analyzer.checkpoints.gate import Gate
from analyzer.commands.best_checkpoint import best_checkpoint
from analyzer.commands.checkpoint_choice import choose_one
from analyzer.commands.one_task import complete, run_job
from analyzer.jobs.messages import Event, Failure, WorkerOptions
from analyzer.supervisor.schedule import Point
from shared.errors import MidwatchError, UsageError
from shared.files import append_jsonl
from shared.run import Run
from tests.making.fake_engine import FakeEngine, failing
from tests.making.job_bench import Bench
from tests.making.runs import add_checkpoint, describe, judge_template

KNOWN = [Point(f"checkpoint-{step}", step, step / 10) for step in (10, 20, 30)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = describe(tmp_path / "run")
    for step in (10, 20, 30):
        add_checkpoint(path, step, judge_template(tmp_path), step / 10)
    return Run.at(path)


@pytest.mark.parametrize(
    ("wanted", "step"), [("last", 30), ("2", 20), ("30", 30), ("checkpoint-10", 10), ("10", 10), ("1", 10)]
)
def test_a_checkpoint_is_meant_by_epoch_step_or_name(wanted: str, step: int) -> None:
    assert choose_one(KNOWN, wanted).step == step


@pytest.mark.parametrize("wanted", ["4", "checkpoint-4", "-1", "²", ""])
def test_what_no_checkpoint_is_called_is_refused_with_what_there_is(wanted: str) -> None:
    with pytest.raises(UsageError, match=r"there are epoch 1 \(step 10\)"):
        choose_one(KNOWN, wanted)


def test_best_is_the_trainers_own_word_else_the_logged_metric(run: Run) -> None:
    assert best_checkpoint(run, KNOWN) is None
    for step, auc, loss in ((10, 0.7, 0.2), (20, 0.9, 0.3), (30, 0.9, 0.1), (40, 0.99, 0.01)):
        append_jsonl(run.metrics, {"step": step, "split": "val", "values": {"loss": loss}})
        append_jsonl(run.metrics, {"step": step, "split": "val", "values": {"auc": auc}})
    found = best_checkpoint(run, KNOWN)
    assert found is not None and (found.point.step, found.by) == (20, "validation auc"), "the first of equals"
    state = run.directory_of("checkpoint-30") / "trainer_state.json"
    told = json.loads(state.read_text())
    state.write_text(json.dumps(told | {"best_model_checkpoint": "C:\\elsewhere\\run\\checkpoint-10"}))
    found = best_checkpoint(run, KNOWN)
    assert found is not None and (found.point.step, found.by) == (10, "its Trainer's choice")


def test_loss_counts_downwards_and_comes_from_a_plain_trainers_log(run: Run) -> None:
    state = run.directory_of("checkpoint-30") / "trainer_state.json"
    log = [{"step": step, "eval_loss": loss} for step, loss in ((10, 0.4), (20, 0.2), (30, 0.3))]
    state.write_text(json.dumps({"global_step": 30, "log_history": log}))
    found = best_checkpoint(run, KNOWN)
    assert found is not None and (found.point.step, found.by) == (20, "validation loss")


def test_a_checkpoint_that_nobody_announced_is_waited_for(run: Run) -> None:
    gate, stopped = Gate(run, settle_s=0.05), threading.Event()
    (run.commits / "checkpoint-20.json").unlink()
    assert complete(gate, "checkpoint-20", stopped).step == 20
    (run.commits / "checkpoint-30.json").unlink()
    (run.directory_of("checkpoint-30") / INCOMPLETE_MARK).touch()
    with pytest.raises(MidwatchError, match="marked incomplete"):
        complete(gate, "checkpoint-30", stopped)
    stopped.set()
    (run.commits / "checkpoint-10.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        complete(gate, "checkpoint-10", stopped)


def end(engine: FakeEngine, bench: Bench, stopped: bool = False) -> list[str]:
    woken, stop = threading.Event(), threading.Event()
    woken.set()
    if stopped:
        stop.set()
    return run_job(engine, bench.job(10, probes=bench.run / "probes.jsonl"), lambda event: woken.set(), woken, stop)


@pytest.fixture
def bench(run: Run, tmp_path: Path) -> Bench:
    return Bench(run.path, judge_template(tmp_path), WorkerOptions())


def test_how_a_job_ends_is_how_the_command_ends(bench: Bench) -> None:
    assert end(FakeEngine(), bench) == []
    assert end(FakeEngine(failing(Failure.CRASH, "It was killed.")), bench) == ["It was killed."]
    with pytest.raises(UsageError, match="mend your file"):
        end(FakeEngine(lambda job: [Event(kind="refused", job=job.id, cause="mend your file")]), bench)
    with pytest.raises(KeyboardInterrupt):
        end(FakeEngine(held=True), bench, stopped=True)
