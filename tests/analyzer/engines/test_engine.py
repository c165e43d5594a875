"""One contract for every engine, over the real process and the fake that other tests step by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.engines.command import FROM_STDIN, CommandEngine
from analyzer.engines.engine import Engine
from analyzer.engines.local import LocalEngine
from analyzer.engines.pool import Pool
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from shared.processes import NEUTRAL
from shared.records import RunRecord
from tests.making.fake_engine import FakeEngine
from tests.making.fake_worker import COMPUTATIONS
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import LIMIT_S

COMMAND = (sys.executable, "-m", "tests.making.fake_worker")


def collect(
    engine: Engine, until: Callable[[list[Event]], bool], now: Callable[[], float] = time.time
) -> list[Event]:
    """Poll until enough has happened."""
    events: list[Event] = []
    deadline = time.monotonic() + LIMIT_S
    while not until(events):
        assert time.monotonic() < deadline, events
        events += engine.poll(now())
        time.sleep(0.005)
    return events


def ready(events: list[Event]) -> bool:
    return any(event.kind == "ready" for event in events)


def finished(events: list[Event]) -> bool:
    return any(event.kind == "finished" for event in events)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    run = describe(folder / "run")
    for step in range(1, 6):
        add_checkpoint(run, step, judge_template(folder))
    return run


def job(run: Path, step: int, name: str = "") -> Job:
    source = run / f"checkpoint-{step}"
    return Job(
        id=name or f"job-{step}",
        run=run,
        out=run,
        checkpoint=source.name,
        step=step,
        epoch=None,
        directory=source,
        source=source,
        files=list(fingerprint(source)),
        pinned=False,
        record=RunRecord(),
        probes=run / "probes.jsonl",
        analyses=["tokens", "layers"],
    )


@pytest.fixture
def local() -> Iterator[LocalEngine]:
    engine = LocalEngine(WorkerOptions(), timeout_s=1800, command=COMMAND)
    engine.start()
    yield engine
    engine.close()


def pool_of_two() -> Pool:
    return Pool([LocalEngine(WorkerOptions(), command=COMMAND) for _ in range(2)])


ENGINES: dict[str, Callable[[], Engine]] = {
    "local": lambda: LocalEngine(WorkerOptions(), command=COMMAND),
    "pool": pool_of_two,
    "command": lambda: CommandEngine(WorkerOptions(), ["/usr/bin/env", *COMMAND, FROM_STDIN]),
    "fake": FakeEngine,
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    found = ENGINES[request.param]()
    found.start()
    yield found
    found.close()


def test_contract(engine: Engine, run: Path) -> None:
    """Busy until ready; a job a worker; each job ends in `finished`, also one that is cancelled, and that alone."""
    assert engine.busy and engine.free == ()
    events = collect(engine, lambda _: len(engine.free) == engine.capacity)
    assert [event.computations for event in events if event.kind == "ready"] == [COMPUTATIONS] * engine.capacity
    jobs = [job(run, 1, f"job-{number}") for number in range(engine.capacity)]
    for each in jobs:
        assert not engine.busy
        engine.submit(each)
    assert engine.busy
    with pytest.raises(RuntimeError):
        engine.submit(job(run, 2))
    events = collect(engine, lambda events: sum(event.kind == "finished" for event in events) == engine.capacity)
    for each in jobs:
        own = [event for event in events if event.job == each.id]
        assert own[0].kind == "started" and own[-1].kind == "finished"
        assert any(event.kind == "committed" and event.analysis == "tokens" for event in own)
    assert not engine.busy

    engine.submit(job(run, 3))
    engine.cancel("job-0")  # which is over
    engine.cancel("job-3")
    events = collect(engine, finished)
    assert events[-2].failure == Failure.LOST
    collect(engine, lambda _: len(engine.free) == engine.capacity)
    engine.submit(job(run, 4))
    assert any(event.kind == "committed" for event in collect(engine, finished)), "it goes on afterwards"


def test_library_chatter_on_stdout_gets_nowhere(local: LocalEngine, run: Path) -> None:
    collect(local, ready)
    local.submit(job(run, 4))
    kinds = [event.kind for event in collect(local, finished)]
    assert kinds == ["started", "progress", "committed", "failed", "finished"]


@pytest.mark.parametrize(("step", "cause"), [(2, "exit code 7"), (5, "SIGKILL")])
def test_a_worker_that_dies_is_reported_and_replaced(local: LocalEngine, run: Path, step: int, cause: str) -> None:
    collect(local, ready)
    first = local.pid
    local.submit(job(run, step))
    events = collect(local, finished)
    failed = next(event for event in events if event.kind == "failed")
    assert failed.failure == Failure.CRASH
    assert cause in failed.cause
    collect(local, ready)
    assert local.pid != first
    local.submit(job(run, 1))
    collect(local, finished)


def test_a_worker_that_dies_between_jobs_is_replaced(local: LocalEngine, run: Path) -> None:
    collect(local, ready)
    assert local.pid is not None
    os.kill(local.pid, signal.SIGKILL)
    collect(local, ready)
    local.submit(job(run, 1))
    collect(local, finished)


def test_silence_is_ended_by_a_kill(local: LocalEngine, run: Path) -> None:
    collect(local, ready)
    silent = local.pid
    assert silent is not None
    local.submit(job(run, 3))
    collect(local, lambda events: any(event.kind == "started" for event in events), now=lambda: 1000.0)
    assert local.poll(2800.0) == []
    events = local.poll(2801.0)
    assert [event.failure for event in events if event.kind == "failed"] == [Failure.TIMEOUT]
    assert finished(events)
    assert not psutil.pid_exists(silent)


def test_a_worker_that_cannot_start_is_not_started_forever() -> None:
    engine = LocalEngine(WorkerOptions(), command=(sys.executable, "-c", "raise SystemExit(4)"))
    engine.start()
    events = collect(engine, lambda events: any(event.kind == "refused" for event in events))
    assert events[-1].failure == Failure.CRASH
    assert "midwatch doctor" in events[-1].cause
    assert engine.poll(time.time()) == []
    assert engine.pid is None
    engine.close()


def test_the_worker_goes_with_its_supervisor(tmp_path: Path) -> None:
    """SIGKILL leaves no time to say goodbye; a worker in the middle of its work ends all the same."""
    code = (
        "import sys, time; from analyzer.engines.local import LocalEngine\n"
        "from analyzer.jobs.messages import WorkerOptions\n"
        "engine = LocalEngine(WorkerOptions(), command=(sys.executable, '-m', 'tests.making.fake_worker'))\n"
        "engine.start(); print(engine.pid, flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    worker = psutil.Process(int(supervisor.stdout.readline()))
    supervisor.stdout.close()
    supervisor.kill()
    supervisor.wait()
    gone, _ = psutil.wait_procs([worker], timeout=LIMIT_S)
    assert gone


def test_a_refusing_worker_says_why() -> None:
    """The real worker, asked for a GPU that nobody has."""
    engine = LocalEngine(WorkerOptions(device="cuda:97"))
    engine.start()
    events = collect(engine, lambda events: bool(events))
    assert events[0].kind == "refused"
    assert events[0].failure is None
    assert "cuda:97" in events[0].cause
    engine.close()


def test_a_worker_starts_on_neutral_ground() -> None:
    engine = LocalEngine(WorkerOptions(), command=COMMAND)
    engine.start()
    try:
        assert engine.pid is not None
        assert Path(psutil.Process(engine.pid).cwd()) == NEUTRAL
    finally:
        engine.close()


def test_a_ready_worker_takes_relative_names_as_the_user_means_them(tmp_path: Path) -> None:
    engine = LocalEngine(WorkerOptions(device="cpu", place=tmp_path))
    engine.start()
    try:
        collect(engine, ready)
        assert engine.pid is not None
        assert Path(psutil.Process(engine.pid).cwd()) == tmp_path
    finally:
        engine.close()
