"""Which worker of a pool gets a job, and what becomes of a pool whose workers die."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from analyzer.engines.local import LocalEngine
from analyzer.engines.pool import AGAIN_S, Pool
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import MidwatchError
from shared.records import CheckpointState, RunRecord
from tests.making.committing_worker import KILL
from tests.making.fake_engine import FakeEngine, failing
from tests.making.runs import add_checkpoint, describe, judge_template

CHECKPOINTS = 24
COMMITTING = (sys.executable, "-m", "tests.making.committing_worker")


def done(job: Job) -> list[Event]:
    return [Event(kind="started", job=job.id), Event(kind="finished", job=job.id)]


def job(name: str, run: str) -> Job:
    place = Path(run)
    return Job(
        id=name,
        run=place,
        out=place,
        checkpoint="checkpoint-1",
        step=1,
        epoch=None,
        directory=place,
        source=place,
        files=[],
        pinned=False,
        record=RunRecord(),
        probes=place,
    )


def ready_pool(*engines: FakeEngine) -> Pool:
    pool = Pool(engines)
    pool.start()
    assert pool.busy and pool.poll(0.0) and not pool.busy
    return pool


def test_a_job_goes_to_the_worker_that_holds_its_judge_else_to_the_one_idle_longest() -> None:
    first, second, third = (FakeEngine(done) for _ in range(3))
    pool = ready_pool(first, second, third)
    for number, run in enumerate("abc"):
        pool.submit(job(f"{number}", run))
    pool.poll(1.0)
    pool.submit(job("b again", "b"))
    assert second.jobs[-1].id == "b again"
    pool.submit(job("new", "d"))
    assert first.jobs[-1].id == "new", "idle since the first job"
    pool.submit(job("b meanwhile", "b"))
    assert third.jobs[-1].id == "b meanwhile", "nobody waits for a worker that has work"
    assert pool.busy and pool.free == ()


@pytest.mark.parametrize("failure", [Failure.CRASH, Failure.TIMEOUT, Failure.LOST])
def test_what_a_dead_worker_held_is_forgotten(failure: Failure) -> None:
    first, second = FakeEngine(failing(failure)), FakeEngine(done)
    pool = ready_pool(first, second)
    pool.submit(job("1", "a"))
    pool.submit(job("2", "b"))
    pool.poll(1.0)
    first.behaviour = done
    pool.submit(job("3", "b"))
    pool.poll(2.0)
    pool.submit(job("4", "a"))
    assert first.jobs[-1].id == "4", "idle longest"
    pool.poll(3.0)
    pool.submit(job("5", "b"))
    assert second.jobs[-1].id == "5", "it still holds b"


def test_a_job_goes_to_one_of_the_devices_that_are_open() -> None:
    class OnGpu(FakeEngine):
        @property
        def free(self) -> tuple[str, ...]:
            return ("cuda:1",) if super().free else ()

    plain, gpu = FakeEngine(done), OnGpu(done)
    pool = ready_pool(plain, gpu)
    assert pool.free == ("cpu", "cuda:1")
    pool.submit(job("1", "a"), {"cuda:1"})
    assert [each.id for each in gpu.jobs] == ["1"]
    with pytest.raises(RuntimeError):
        pool.submit(job("2", "a"), {"cuda:1"})
    pool.submit(job("2", "a"), {"cpu"})
    assert [each.id for each in plain.jobs] == ["2"]


def test_the_devices_are_those_of_busy_workers_too() -> None:
    first, second = FakeEngine(done), FakeEngine(done)
    pool = ready_pool(first, second)
    pool.submit(job("1", "a"))
    assert pool.free == ("cpu",) and pool.devices == ("cpu", "cpu")
    second.ready = False
    assert pool.devices == ("cpu",)


class Refusing(FakeEngine):
    """Its workers cannot start."""

    def poll(self, now: float) -> list[Event]:
        told = Event(kind="refused", failure=Failure.CRASH, cause="The worker cannot start.")
        return [] if self.closed else [told]


def test_a_worker_that_cannot_start_is_done_without_as_long_as_others_can() -> None:
    pool = Pool([Refusing(), FakeEngine(done)])
    pool.start()
    assert [event.kind for event in pool.poll(0.0)] == ["ready"]
    assert pool.capacity == 1
    alone = Pool([Refusing(), Refusing()])
    alone.start()
    assert [event.kind for event in alone.poll(0.0)] == ["refused"]
    pool.close()


def test_a_worker_that_could_not_start_is_tried_again() -> None:
    class Full(Refusing):
        starts = 0

        def start(self) -> None:
            self.starts += 1

        def poll(self, now: float) -> list[Event]:
            return FakeEngine.poll(self, now) if self.starts > 1 else super().poll(now)

    full = Full(done)
    pool = Pool([full, FakeEngine(done)])
    pool.start()
    pool.poll(0.0)
    pool.poll(AGAIN_S + 1.0)
    assert (full.starts, pool.capacity) == (2, 1), "it has not said that it is ready"
    assert [event.kind for event in pool.poll(AGAIN_S + 2.0)] == ["ready"]
    assert pool.capacity == 2


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


def test_two_workers_of_which_one_is_killed_do_every_checkpoint_once(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    for step in range(1, CHECKPOINTS + 1):
        add_checkpoint(run, step, template)
    (run / KILL).touch()
    commits: Counter[tuple[str, str]] = Counter()
    failures: list[Failure | None] = []

    def observe(watched: WatchedRun, event: Event) -> None:
        if event.kind == "committed":
            commits[watched.running[event.job], event.analysis] += 1
        elif event.kind == "failed":
            failures.append(event.failure)

    engine = Pool([LocalEngine(WorkerOptions(), command=COMMITTING, wake=lambda: woken()) for _ in range(2)])
    supervisor = Supervisor([run], Plan(once=True, settle_s=0.05, backoff_s=0.0), engine, observer=observe)
    woken = supervisor.woken.set
    supervisor.run()
    (watched,) = supervisor.runs.values()
    assert {row.state for row in watched.rows} == {CheckpointState.DONE}
    assert len(commits) == 2 * CHECKPOINTS and set(commits.values()) == {1}
    assert failures == [Failure.CRASH]


def test_workers_that_all_cannot_start_end_it_with_one_sentence(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 1, template)
    broken = (sys.executable, "-c", "raise SystemExit(4)")
    engine = Pool([LocalEngine(WorkerOptions(), command=broken) for _ in range(2)])
    with pytest.raises(MidwatchError, match="midwatch doctor"):
        Supervisor([run], Plan(once=True), engine).run()
