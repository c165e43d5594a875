"""A job is cancelled while its worker's last words are still on their way: nothing of it is the next job's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.engines.local import LocalEngine
from analyzer.jobs.messages import Failure, WorkerOptions
from tests.analyzer.engines.test_engine import collect, finished, job, ready
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.making.waiting import LIMIT_S, wait_until

TIMEOUT_S = 1800.0


class HeldLines:
    """Lets lines pass until one that is asked for, and holds whatever follows that until `let_go` is set."""

    def __init__(self, last: int) -> None:
        self.last, self.count, self.let_go = last, 0, threading.Event()

    def __call__(self) -> None:
        """Called by the engine's reader after each line."""
        self.count += 1
        if self.count == self.last:
            assert self.let_go.wait(LIMIT_S)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cancelled")
    run = describe(folder / "run")
    for step in (1, 2, 3):
        add_checkpoint(run, step, judge_template(folder))
    return run


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> HeldLines:
    return HeldLines(request.param)


@pytest.fixture
def engine(lines: HeldLines) -> Iterator[LocalEngine]:
    command = (sys.executable, "-m", "tests.making.fake_worker")
    found = LocalEngine(WorkerOptions(), TIMEOUT_S, lines, command)
    found.start()
    yield found
    lines.let_go.set()
    found.close()


@pytest.mark.parametrize("lines", [6], indirect=True)
def test_a_killed_worker_takes_no_job(engine: LocalEngine, lines: HeldLines, run: Path) -> None:
    collect(engine, ready)
    engine.submit(job(run, 1))
    wait_until(lambda: lines.count == 6, "ready, started, progress, committed, failed and finished")
    engine.cancel("job-1")
    assert finished(engine.poll(1.0)) and engine.busy and engine.free == (), "its end was not read yet"
    lines.let_go.set()
    collect(engine, lambda _: not engine.busy)
    engine.submit(job(run, 1))
    assert Failure.LOST not in [event.failure for event in collect(engine, finished)]


@pytest.mark.parametrize("lines", [2], indirect=True)
def test_what_ended_one_worker_says_nothing_of_the_next(engine: LocalEngine, lines: HeldLines, run: Path) -> None:
    """It is cancelled, and dropped for its silence before its end is read."""
    collect(engine, ready, lambda: 1.0)
    engine.submit(job(run, 3))
    wait_until(lambda: lines.count == 2, "ready and started")
    engine.cancel("job-3")
    assert not finished(engine.poll(1.0))
    assert [event.failure for event in engine.poll(TIMEOUT_S + 2)] == [Failure.TIMEOUT, None]
    lines.let_go.set()
    collect(engine, lambda _: not engine.busy)
    engine.submit(job(run, 2))
    failed = next(event for event in collect(engine, finished) if event.kind == "failed")
    assert (failed.failure, failed.cause) == (Failure.CRASH, "The worker ended with exit code 7.")
