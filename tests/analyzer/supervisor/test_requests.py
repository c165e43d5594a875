"""What is asked of a running supervisor: order, progress, cancel, retry, bounds, and what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from analyzer.jobs.messages import Event, Failure, Job
from analyzer.supervisor import requests
from analyzer.supervisor.lease import Lease
from analyzer.supervisor.plan import Plan
from shared.answers import answers_of
from shared.requests.folder import all_states, entries, file_request, keep_probes, path_of, probes_of, state_of
from shared.requests.record import Analyze, Cancel, RequestState, Retry
from shared.run import Run
from tests.making.asking import answer, asked
from tests.making.fake_engine import failing
from tests.making.runs import describe
from tests.making.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, template: Path) -> Stage:
    found = Stage(describe(tmp_path / "run"), template)
    found.engine.behaviour = answer
    return found


@pytest.fixture
def run(stage: Stage) -> Run:
    return Run.at(stage.target)


def ended(run: Run, name: str) -> RequestState:
    """What became of a request whose file is gone."""
    state = state_of(run, name)
    assert state is not None and state.final and not path_of(run, name).exists()
    return state


def test_a_prompt_comes_before_the_backlog_and_is_answered_by_a_result_of_its_own(stage: Stage, run: Run) -> None:
    stage.engine.held = True
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps(2)
    first = file_request(run, Analyze(checkpoints=("checkpoint-20",), only=("layers",))).id
    second = file_request(run, asked("a", "checkpoint-10", "checkpoint-30")).id
    stage.step()
    assert [(each.id, each.state, each.place) for each in stage.status.requests] == [
        (second, "waiting", 1),
        (first, "waiting", 2),
    ]
    stage.engine.held = False
    stage.steps()
    kinds = [(job.checkpoint, job.task.kind if job.task else "analyses") for job in stage.engine.jobs]
    assert kinds[:4] == [
        ("checkpoint-30", "analyses"),
        ("checkpoint-10", "ask"),
        ("checkpoint-30", "ask"),
        ("checkpoint-20", "analyses"),
    ]
    assert stage.engine.jobs[3].analyses == ["layers"]
    state = ended(run, second)
    assert (state.state, state.sentence) == ("done", "")
    assert [(name, len(records)) for name, records in answers_of(run, state)] == [
        ("checkpoint-10", 1),
        ("checkpoint-30", 1),
    ]
    assert len(stage.results()) == 6 and stage.states == {10: "done", 20: "done", 30: "done"}
    assert stage.status.requests == [] and ended(run, first).state == "done"


def test_the_running_one_is_told_with_its_progress(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    name = file_request(run, asked()).id
    stage.steps(2)
    status = stage.status
    assert status.state == "running" and status.running is not None
    assert (status.running.request, status.running.checkpoint) == (name, "checkpoint-10")
    assert [(each.state, each.place, each.done, each.total) for each in status.requests] == [("running", 0, 0, 1)]
    assert stage.states == {10: "done"}
    state = state_of(run, name)
    assert state is not None and state.state == "running" and state.checkpoints[0].starts == 1


def test_the_same_request_again_needs_no_worker(stage: Stage, run: Run) -> None:
    stage.add(10)
    name = file_request(run, asked()).id
    stage.steps(6)
    before = ended(run, name)
    jobs = len(stage.engine.jobs)
    file_request(run, asked())
    stage.step()
    assert ended(run, name).checkpoints[0].answers == before.checkpoints[0].answers
    assert len(stage.engine.jobs) == jobs


def test_cancel_of_a_waiting_and_of_a_running_one(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    names = [file_request(run, asked(text)).id for text in "ab"]
    stage.steps(2)
    running = stage.status.running
    assert running is not None
    waiting = next(name for name in names if name != running.request)
    cancels = [file_request(run, Cancel(request=name)).id for name in (waiting, running.request)]
    stage.steps(4)
    assert [ended(run, name).state for name in names] == ["cancelled", "cancelled"]
    assert [ended(run, name).state for name in cancels] == ["done", "done"]
    assert not stage.supervisor.jobs.by_id and stage.states == {10: "done"}
    again = file_request(run, Cancel(request=waiting)).id
    unknown = file_request(run, Cancel(request=f"ask-{'0' * 20}")).id
    stage.step()
    assert "was cancelled before" in ended(run, again).sentence
    assert ended(run, unknown).state == "refused" and "There is no request" in ended(run, unknown).sentence
    stage.engine.held = False
    file_request(run, asked("a"))
    stage.steps(4)
    assert ended(run, names[0]).state == "done", "what was cancelled may be asked again"


def test_a_file_that_is_taken_away_is_a_request_taken_back(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.engine.held = True
    stage.steps(2)
    name = file_request(run, asked()).id
    stage.step()
    path_of(run, name).unlink()
    stage.step()
    assert ended(run, name).state == "cancelled"


def test_retry_forgets_what_failed(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.engine.behaviour = failing(Failure.REJECTED, "It is no judge.")
    stage.steps()
    assert stage.states == {10: "rejected"}
    stage.engine.behaviour = answer
    name = file_request(run, Retry()).id
    wrong = file_request(run, Retry(checkpoints=("nonsense",))).id
    stage.steps()
    assert ended(run, name).sentence == "To be tried again: checkpoint-10."
    assert ended(run, wrong).state == "refused" and stage.states == {10: "done"}


def test_checkpoints_that_cannot_be_asked_are_one_sentence_each(stage: Stage, run: Run) -> None:
    for step in (10, 20):
        stage.add(step)
    stage.steps(8)
    shutil.rmtree(stage.target / "checkpoint-10")
    unknown = file_request(run, asked("a", "checkpoint-99")).id
    deleted = file_request(run, asked("b", "checkpoint-10")).id
    mixed = file_request(run, asked("c", "checkpoint-10", "checkpoint-20")).id
    stage.steps(4)
    assert ended(run, unknown).state == "refused"
    assert ended(run, unknown).sentence == (
        "There is no checkpoint-99 in run; there are checkpoint-10, checkpoint-20."
    )
    assert "checkpoint-10 was deleted by its training" in ended(run, deleted).sentence
    state = ended(run, mixed)
    assert state.state == "failed" and state.sentence.startswith("1 of 2 done. checkpoint-10 was deleted")
    assert [(name, len(records)) for name, records in answers_of(run, state)] == [
        ("checkpoint-10", 0),
        ("checkpoint-20", 1),
    ]


def test_a_checkpoint_that_is_still_written_is_waited_for(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.steps(4)
    stage.add(20, announced=False)
    name = file_request(run, asked("a", "checkpoint-20")).id
    stage.step()
    (waiting,) = stage.status.requests
    assert waiting.state == "waiting" and "checkpoint-20" in waiting.cause
    stage.steps(40, 30.0)
    assert ended(run, name).state == "done"


@pytest.mark.parametrize(
    ("failure", "tries", "state"),
    [(Failure.CRASH, 3, "failed"), (Failure.REJECTED, 1, "failed"), (Failure.ANALYSIS, 3, "failed")],
)
def test_what_fails_is_tried_as_often_as_helps(
    stage: Stage, run: Run, failure: Failure, tries: int, state: str
) -> None:
    stage.add(10)
    stage.steps(4)
    before = len(stage.engine.jobs)
    stage.engine.behaviour = failing(failure, "It broke.")
    name = file_request(run, asked()).id
    stage.steps()
    assert len(stage.engine.jobs) - before == tries
    assert [job.batch_divisor for job in stage.engine.jobs[before:]] == [1, 2, 4][:tries]
    assert (ended(run, name).state, ended(run, name).sentence) == (state, "It broke.")
    assert stage.states == {10: "done"}, "the checkpoint's own standing is another matter"


def test_a_refusal_of_the_worker_ends_the_request_and_not_the_supervisor(stage: Stage, run: Run) -> None:
    def refuse(job: Job) -> list[Event]:
        if job.task is None:
            return answer(job)
        told = Event(kind="refused", job=job.id, cause="No such setting.")
        return [Event(kind="started", job=job.id), told, Event(kind="finished", job=job.id)]

    stage.add(10)
    stage.engine.behaviour = refuse
    name = file_request(run, asked()).id
    stage.steps()
    assert (ended(run, name).state, ended(run, name).sentence) == ("failed", "No such setting.")


def test_analyses_by_suite_settings_and_probe_file(stage: Stage, run: Run, tmp_path: Path) -> None:
    stage.add(10)
    stage.steps(4)
    (tmp_path / "own.jsonl").write_bytes(run.probes.read_bytes())
    digest = keep_probes(run, tmp_path / "own.jsonl")
    name = file_request(
        run,
        Analyze(checkpoints=("checkpoint-10",), only=("tokens",), settings={"tokens": {"a": 2}}, probes=digest),
    ).id
    none = file_request(run, Analyze(checkpoints=("checkpoint-10",), only=("magic",))).id
    nothing = file_request(run, Analyze(checkpoints=("checkpoint-10",), settings={"magic": {}})).id
    stage.steps(6)
    (job,) = [job for job in stage.engine.jobs if job.overrides]
    assert (job.analyses, job.overrides, job.probes.name) == (["tokens"], {"tokens": {"a": 2}}, f"{digest}.jsonl")
    assert ended(run, name).state == "done"
    assert "There is no analysis 'magic'" in ended(run, none).sentence
    assert "There is no analysis 'magic'" in ended(run, nothing).sentence
    probes_of(run, digest).write_text("changed")
    file_request(run, Analyze(checkpoints=("checkpoint-10",), probes=digest))
    stage.step()
    assert [each.sentence for each in all_states(run) if "probe file" in each.sentence] == [
        "Its probe file was changed since it was put there; file the request again."
    ]


def test_everything_that_is_no_request_is_answered_as_refused_in_its_place(stage: Stage, run: Run) -> None:
    stage.add(10)
    name = file_request(run, asked()).id
    good = path_of(run, name).read_text()
    secret = stage.target.parent / "secret"
    secret.write_text("secret")
    (run.requests / "evil\n.json").write_text(good)
    (run.requests / ("x" * 200 + ".json")).write_text(good)
    os.mkfifo(run.requests / f"ask-{'1' * 20}.json")
    (run.requests / f"ask-{'2' * 20}.json").symlink_to(secret)
    (run.requests / f"ask-{'3' * 20}.json").mkdir()
    (run.requests / f"ask-{'4' * 20}.json").write_text(good.replace("bread", "cakes"))
    (run.requests / f"ask-{'5' * 20}.json").write_text(json.dumps(json.loads(good) | {"schema_version": 9}))
    (run.requests / os.fsdecode(b"\xff.json")).write_text(good)
    stage.steps(6)
    states = {each.id: each for each in all_states(run)}
    refused = [each for each in states.values() if each.state == "refused"]
    assert len(refused) == 8 and all(each.sentence.endswith(".") for each in refused)
    assert states[f"ask-{'2' * 20}"].sentence == "It is a symbolic link." and secret.read_text() == "secret"
    assert "changed by hand" in states[f"ask-{'4' * 20}"].sentence
    assert "newer Midwatch (version 9" in states[f"ask-{'5' * 20}"].sentence
    assert [entry.name for entry in entries(run)] == [f"ask-{'3' * 20}.json"], "only a folder stays"
    assert states[name].state == "done" and stage.states == {10: "done"}
    written = (run.requested / f"ask-{'3' * 20}.json").stat().st_mtime_ns
    stage.steps(3)
    assert (run.requested / f"ask-{'3' * 20}.json").stat().st_mtime_ns == written, "it is said once"


def test_too_many_and_too_fast_are_refused(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "RATE", 3)
    monkeypatch.setattr(requests, "MAX_WAITING", 5)
    stage.add(10)
    stage.engine.held = True
    stage.steps(2)
    names = [file_request(run, asked(f"{who} {i}"), session=who).id for who in "ab" for i in range(4)]
    stage.step()
    states = [state_of(run, name) for name in names]
    assert [state.state for state in states if state] == ["waiting"] * 3 + ["refused"] + ["waiting"] * 2 + [
        "refused"
    ] * 2
    assert states[3] is not None and "of one session" in states[3].sentence
    assert states[6] is not None and "5 requests wait already" in states[6].sentence
    stage.engine.held = False
    stage.steps(20)
    again = file_request(run, asked("a 3"), session="a").id
    stage.steps(4)
    assert ended(run, again).state == "done", "a minute later it may"


def test_once_answers_what_was_asked_before_it_ends(stage: Stage, run: Run) -> None:
    stage.plan = Plan(once=True, selected=frozenset())
    stage = stage.restart()
    stage.engine.behaviour = answer
    stage.add(10)
    name = file_request(run, asked()).id
    stage.step()
    assert not stage.supervisor.nothing_left
    stage.steps(6)
    assert stage.supervisor.nothing_left and ended(run, name).state == "done"
    assert stage.results() == [], "nothing else is analysed"


def test_a_run_that_nobody_can_describe_refuses_with_what_to_do(stage: Stage, run: Run) -> None:
    stage.add(10)
    config = stage.target / "checkpoint-10" / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps(told | {"id2label": {"0": "x", "1": "y"}}))
    (stage.target / "run.json").unlink()
    name = file_request(run, asked()).id
    stage.steps(8, 30.0)
    assert ended(run, name).state == "refused" and "midwatch init" in ended(run, name).sentence


def test_a_run_that_vanishes_is_not_brought_back(stage: Stage, run: Run) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    file_request(run, asked())
    stage.steps(2)
    shutil.rmtree(stage.target)
    stage.steps(3)
    assert not stage.target.exists()


def test_a_run_that_nobody_can_look_at_while_it_is_asked_ends_no_supervisor(stage: Stage, run: Run) -> None:
    """A link in our way empties what is known of the run; once it is gone, the answers are found."""
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    name = file_request(run, asked()).id
    stage.steps(2)
    kept = run.pins.rename(run.pins.with_name("aside"))
    run.pins.symlink_to(kept)
    (watched,) = stage.supervisor.runs.values()
    stage.supervisor.look(watched, stage.now)
    stage.engine.held = False
    stage.step()
    assert "symbolic link" in watched.fault and not stage.supervisor.jobs.by_id
    state = state_of(run, name)
    assert state is not None and (state.checkpoints[0].state, state.checkpoints[0].starts) == ("waiting", 0)
    jobs = len(stage.engine.jobs)
    run.pins.unlink()
    kept.rename(run.pins)
    stage.steps(20, 30.0)
    assert ended(run, name).state == "done" and len(stage.engine.jobs) == jobs


@pytest.mark.parametrize("ours", [True, False])
def test_a_refused_answer_leaves_another_analyzers_books_alone(stage: Stage, run: Run, ours: bool) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.held = True
    name = file_request(run, asked()).id
    stage.steps(2)
    if not ours:
        run.lease.unlink()
        Lease(run.lease).hold(stage.now)
    for event in failing(Failure.LEASE)(stage.engine.jobs[-1]):
        stage.supervisor.take(event, stage.now)
    state = state_of(run, name)
    assert state is not None
    (each,) = state.checkpoints
    assert (each.state, each.starts) == (("waiting", 0) if ours else ("running", 1))


@pytest.mark.parametrize("killed", [0, 3])
def test_a_request_whose_worker_is_lost_again_and_again_says_so(stage: Stage, run: Run, killed: int) -> None:
    stage.add(10)
    stage.steps(4)
    stage.engine.behaviour = failing(Failure.LOST, "The worker was lost: its command ended by SIGTERM.")
    name = file_request(run, asked()).id
    stage.steps(8 - killed)
    for _ in range(killed):
        stage.engine.held = True
        stage.step()
        stage = stage.restart()
        stage.step()
        stage.engine.behaviour = failing(Failure.LOST, "The worker was lost: its command ended by SIGTERM.")
    stage.steps()
    state = ended(run, name)
    assert state.state == "failed" and "The analyzer was killed" not in state.sentence
    assert "interrupted 10 times" in state.sentence and "SIGTERM" in state.sentence
