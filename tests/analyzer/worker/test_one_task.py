"""One task in the worker: what its room gets, what becomes of its failures, and less memory at a second try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Failure, Job, Neighbour, WorkerOptions
from analyzer.jobs.tasks import EvaluateTask
from analyzer.session.opened import Opened
from analyzer.worker import one_task
from shared.errors import MidwatchError, UsageError
from shared.run import Run
from tests.making.job_bench import Bench
from tests.making.runs import describe, judge_template

TASK = EvaluateTask(name="mine", source="shipped")
Carry = Callable[[Opened, EvaluateTask], None]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(describe(tmp_path / "run"), judge_template(tmp_path), WorkerOptions())
    found.add(10)
    found.add(20)
    return found


@pytest.fixture
def carried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Job]:
    """A job whose task is carried out by the given function."""

    def job(carry: Carry, read: Callable[[Job, EvaluateTask], object] = lambda *_: None, **changes: object) -> Job:
        room = one_task.Room(read, lambda opened, task, material: carry(opened, task))
        monkeypatch.setattr(one_task, "ROOMS", {"evaluate": room})
        return bench.job(10, task=TASK, **changes)

    return job


def test_a_room_gets_the_checkpoints_judge_and_its_progress_is_told(bench: Bench, carried) -> None:
    seen: list[Opened] = []

    def room(opened: Opened, task: EvaluateTask) -> None:
        seen.append(opened)
        assert task == TASK and opened.run.path == bench.run and len(opened.digest.digest) == 64
        opened.progress("counting")(2, 2)
        opened.verify()

    events = bench.do(carried(room))
    assert [event.kind for event in events] == ["started", "progress", "progress", "finished"]
    assert (events[2].analysis, events[2].done, events[2].total) == ("counting", 2, 2)
    assert seen[0].judge.encode(["how do i bake"]) and seen[0].job.checkpoint == "checkpoint-10"


def test_another_checkpoints_judge_has_that_checkpoints_weights(bench: Bench, carried) -> None:
    place = bench.run / "checkpoint-20"
    other = Neighbour(checkpoint=place.name, directory=place, files=list(fingerprint(place)))
    heads = []

    def room(opened: Opened, task: EvaluateTask) -> None:
        heads.append(opened.judge.model.classifier.weight.clone())
        (neighbour,) = opened.job.others
        heads.append(opened.another(neighbour).model.classifier.weight.clone())

    bench.do(carried(room, others=[other]))
    alone = bench.analyst.warm.load(bench.job(20), "cpu").model.classifier.weight
    assert not torch.equal(heads[0], heads[1]) and torch.equal(heads[1], alone)


@pytest.mark.parametrize(
    ("error", "kind", "failure"),
    [
        (UsageError("Give other prompts."), "refused", None),
        (MidwatchError("It failed."), "failed", Failure.ANALYSIS),
        (ZeroDivisionError("odd"), "failed", Failure.ANALYSIS),
    ],
)
def test_a_users_mistake_is_refused_and_all_else_failed(
    bench: Bench, carried, error: Exception, kind: str, failure: Failure | None
) -> None:
    def room(opened: Opened, task: EvaluateTask) -> None:
        raise error

    (told,) = [event for event in bench.do(carried(room)) if event.cause]
    assert (told.kind, told.failure) == (kind, failure) and str(error) in told.cause


def test_a_checkpoint_that_changes_meanwhile_is_noticed(bench: Bench, carried) -> None:
    def room(opened: Opened, task: EvaluateTask) -> None:
        (bench.run / "checkpoint-10" / "config.json").write_text("{}")
        opened.verify()

    assert bench.failure(carried(room)).failure == Failure.CHANGED


def test_prompts_that_cannot_be_read_are_refused_before_the_judge_is_loaded(bench: Bench, carried) -> None:
    def read(job: Job, task: EvaluateTask) -> None:
        raise UsageError(f"{task.source} holds no prompts.")

    (refused,) = [event for event in bench.do(carried(lambda *_: None, read)) if event.cause]
    assert (refused.kind, refused.cause) == ("refused", "shipped holds no prompts.")
    assert bench.analyst.warm.judge is None and not list(Run.at(bench.run).digests.glob("*"))


def test_without_memory_the_batch_is_halved_and_in_the_end_it_is_said(bench: Bench, carried) -> None:
    """The prompts are read once."""
    tried: list[int] = []
    reads: list[str] = []

    def room(opened: Opened, task: EvaluateTask) -> None:
        tried.append(opened.batch_tokens)
        if len(tried) < 3:
            raise torch.OutOfMemoryError("full")

    job = carried(room, lambda job, task: reads.append(task.source))
    assert bench.do(job)[-1].kind == "finished" and tried == [4096, 2048, 1024] and reads == ["shipped"]

    def never(opened: Opened, task: EvaluateTask) -> None:
        raise torch.OutOfMemoryError("full")

    told = bench.failure(carried(never))
    assert told.failure == Failure.MEMORY and "more memory" in told.cause
