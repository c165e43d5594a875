"""One supervisor over very many checkpoints: what a finished job costs it, and that no heartbeat is late.

All runs hold the same weights by hard links, all of them wait to be analysed, and a job takes no time: what is
measured is the supervisor alone, in seconds of computing.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.jobs.messages import Event
from analyzer.supervisor.lease import TIME_TO_LIVE_S
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe

LOOK_S = 0.02
"""Of computing, at most, for all that a finished job costs."""
JOBS = 200
WATCHED_S = 900.0
"""How long the rounds over 100,000 checkpoints are timed, seconds: more than the first look at all of them."""
IN_MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


class Measured(FakeEngine):
    """What the work itself takes is told apart."""

    work_s = 0.0

    def poll(self, now: float) -> list[Event]:
        started = time.process_time()
        try:
            return super().poll(now)
        finally:
            self.work_s += time.process_time() - started


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory, where there is room: links of hundreds of thousands of files take a disk minutes."""
    place = (IN_MEMORY or tmp_path) / f"midwatch-scale-{os.getpid()}"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def many_runs(folder: Path, template: Path, runs: int, checkpoints: int) -> Path:
    first = describe(folder / "run-0", steps=10_000)
    for step in range(1, checkpoints + 1):
        add_checkpoint(first, 10 * step, template, step)
    for number in range(1, runs):
        shutil.copytree(first, folder / f"run-{number}", copy_function=os.link)
    return folder


def begin(folder: Path) -> tuple[Supervisor, Measured]:
    """A supervisor that has looked at everything once."""
    engine = Measured()
    supervisor = Supervisor([folder], Plan(), engine)
    supervisor.step(time.time())
    while any(watched.dirty for watched in supervisor.runs.values()):
        supervisor.step(time.time())
    return supervisor, engine


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_a_look_after_a_finished_job(folder: Path, template: Path) -> None:
    supervisor, engine = begin(many_runs(folder, template, 200, 100))
    costs = []
    for _ in range(JOBS):
        done, before, cpu = len(engine.jobs), engine.work_s, time.process_time()
        while len(engine.jobs) == done:
            supervisor.step(time.time())
        costs.append(time.process_time() - cpu - (engine.work_s - before))
    supervisor.close()
    print(f"200 x 100: {statistics.median(costs):.4f} s a job, mean {statistics.mean(costs):.4f}")
    assert statistics.median(costs) <= LOOK_S


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_no_round_holds_up_the_heartbeats(folder: Path, template: Path) -> None:
    """Leases and heartbeats are renewed at the end of each round."""
    engine = Measured()
    supervisor = Supervisor([many_runs(folder, template, 1000, 100)], Plan(), engine)
    rounds, until = [], time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        began = time.monotonic()
        supervisor.step(time.time())
        rounds.append(time.monotonic() - began)
    supervisor.close()
    print(f"1,000 x 100: {len(engine.jobs)} jobs in {len(rounds)} rounds, the longest of {max(rounds):.1f} s")
    assert max(rounds) < TIME_TO_LIVE_S
