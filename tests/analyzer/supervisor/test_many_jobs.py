"""Several jobs at once: whose turn it is, what is told of them, and what is never done twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.starting import may_start
from analyzer.supervisor.watched_run import WatchedRun
from shared.files import read_record
from shared.records import CheckpointState, RunningStatus, Status
from shared.requests.folder import file_request
from shared.requests.record import Analyze, Cancel
from shared.run import Run
from shared.turns import COMPARING
from tests.making.asking import answer, asked
from tests.making.fake_engine import FakeEngine, failing
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage

WORKERS = 3


@pytest.fixture
def stage(tmp_path: Path, template: Path) -> Stage:
    """One run, and an engine of several workers."""
    return Stage(describe(tmp_path / "run"), template, engine=FakeEngine(answer, workers=WORKERS))


@pytest.fixture
def run(stage: Stage) -> Run:
    return Run.at(stage.target)


def test_it_starts_until_the_engine_is_busy_and_tells_of_all(stage: Stage) -> None:
    stage.engine.held = True
    for step in range(10, 60, 10):
        stage.add(step)
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-50", "checkpoint-40", "checkpoint-30"]
    status = stage.status
    assert [job.checkpoint for job in status.jobs] == stage.engine.names
    assert status.running == status.jobs[0]
    assert Counter(stage.states.values()) == {"running": WORKERS, "queued": 2}
    stage.engine.held = False
    stage.steps(4)
    assert set(stage.states.values()) == {"done"}
    assert max(Counter(stage.engine.names).values()) == 1, "nothing twice"
    assert stage.status.jobs == [] and stage.status.running is None


def test_a_worker_that_gets_ready_hides_no_busy_ones_device(stage: Stage) -> None:
    stage.engine.held = True
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps(3)
    assert stage.engine.busy
    event = Event(kind="ready", device="cuda:1", computations=stage.engine.computations)
    stage.supervisor.take(event, stage.now)
    assert stage.supervisor.status.device == "cpu, cuda:1"


def test_runs_take_turns_while_workers_are_free(tmp_path: Path, template: Path) -> None:
    for name in "abc":
        for step in (10, 20):
            add_checkpoint(describe(tmp_path / name), step, template)
    stage = Stage(tmp_path, template, engine=FakeEngine(workers=4, held=True))
    stage.steps(4)
    served = [job.run.name for job in stage.engine.jobs]
    assert sorted(served[:3]) == ["a", "b", "c"] and served[3:] == served[:1]
    told = read_record(tmp_path / served[1] / "_midwatch" / "status.json", Status)
    assert [job.checkpoint for job in told.jobs] == ["checkpoint-20"], "only its own"


def test_a_run_that_waits_is_told_for_whom(tmp_path: Path, template: Path) -> None:
    for name in "abcd":
        add_checkpoint(describe(tmp_path / name), 10, template)
    stage = Stage(tmp_path, template, engine=FakeEngine(workers=WORKERS, held=True))
    stage.steps(6)
    busy = [job.run.name for job in stage.engine.jobs]
    (waits,) = set("abcd") - set(busy)
    told = read_record(tmp_path / waits / "_midwatch" / "status.json", Status)
    assert (told.state, told.message) == ("waiting", f"All 3 workers are busy with {', '.join(busy)}.")


def test_a_failure_is_its_own_jobs(stage: Stage) -> None:
    fails, works = failing(Failure.ANALYSIS, "no"), stage.engine.behaviour
    stage.engine.behaviour = lambda job: fails(job) if job.step == 20 else works(job)
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps(3)
    assert stage.states == {10: "done", 20: "retrying", 30: "done"}


def test_a_cancelled_request_ends_its_own_job_alone(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    stage.add(20)
    name = file_request(run, asked("a prompt", "checkpoint-10")).id
    stage.steps(3)
    assert {job.request for job in stage.status.jobs} == {name, ""}
    file_request(run, Cancel(request=name))
    stage.steps(3)
    assert [(job.checkpoint, job.request) for job in stage.status.jobs] == [("checkpoint-20", "")]
    stage.engine.held = False
    stage.steps(3)
    assert stage.states == {10: "done", 20: "done"}


def test_a_checkpoint_is_never_given_to_two_workers(stage: Stage, run: Run) -> None:
    """Neither is a request's, while the checkpoint is being analysed, nor the other way round."""
    stage.engine.held = True
    stage.add(10)
    stage.steps(3)
    file_request(run, asked("a prompt", "checkpoint-10"))
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-10"]
    stage.engine.held = False
    stage.step()
    stage.engine.held = True
    stage.steps(3)
    assert [job.task is not None for job in stage.engine.jobs] == [False, True]


def test_analyses_that_are_asked_for_wait_for_a_comparison(stage: Stage, run: Run) -> None:
    """They would replace what it reads; a prompt that is asked replaces nothing."""
    for step in (10, 20):
        stage.add(step)
    stage.steps(4)
    (watched,) = stage.supervisor.runs.values()
    watched.running["comparison"] = "checkpoint-20"
    watched.comparing.add("comparison")
    done = len(stage.engine.jobs)
    file_request(run, Analyze(checkpoints=("checkpoint-10",), force=True))
    stage.steps(3)
    assert len(stage.engine.jobs) == done
    file_request(run, asked("a prompt", "checkpoint-10"))
    stage.steps(3)
    assert [job.task is not None for job in stage.engine.jobs[done:]] == [True]
    watched.end("comparison")
    stage.steps(3)
    assert [job.force for job in stage.engine.jobs[done:]] == [False, True]


def test_a_stop_uses_no_attempt_of_any_of_them(stage: Stage, run: Run) -> None:
    stage.engine.held = True
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps(3)
    attempts = list(run.attempts.iterdir())
    assert len(attempts) == WORKERS
    stage.supervisor.close()
    assert all('"attempts":[]' in path.read_text().replace(" ", "") for path in attempts)
    assert stage.status.state == "stopped" and stage.status.jobs == []


def queued(step: int, *missing: str) -> Row:
    return Row(Point(f"checkpoint-{step}", step, None), CheckpointState.QUEUED, missing=missing)


def test_comparisons_have_the_run_for_themselves(tmp_path: Path) -> None:
    """They read what other jobs of the run commit and replace."""
    watched = WatchedRun(Run.at(tmp_path), Plan())
    whole, again, another = queued(10, "tokens", COMPARING), queued(20, COMPARING), queued(30, COMPARING)
    watched.rows = [whole, again, another]
    assert may_start(watched, again)
    watched.begin("job", "checkpoint-10")
    assert not may_start(watched, replace(whole)), "a worker has it"
    assert not may_start(watched, again) and may_start(watched, queued(40, "tokens"))
    watched.end("job")
    watched.begin("again", "checkpoint-20")
    assert not may_start(watched, whole) and not may_start(watched, another)
    watched.end("again")
    assert may_start(watched, whole) and may_start(watched, another)


def test_a_status_of_one_worker_that_lists_no_jobs_is_read() -> None:
    running = RunningStatus(checkpoint="checkpoint-10", analysis="tokens", started_at=1.0)
    told = {"state": "running", "heartbeat_at": 1, "pid": 1, "host": "h", "started_at": 1, "version": "1"}
    older = Status.model_validate(told | {"running": running.model_dump()})
    assert older.jobs == [] and older.in_work == [running]
    assert Status.model_validate(told).in_work == []
