"""Many runs over many workers, some of which are lost: a simulation with the real supervisor and no models."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from analyzer.jobs.messages import Event, Failure, Job
from analyzer.supervisor.checkpoint_row import UNDECIDED
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.records import CheckpointState
from tests.bench import Figure, Size
from tests.making.fake_engine import FakeEngine, failing, work
from tests.making.runs import add_checkpoint, describe, judge_template

RUNS = {Size.FULL: 100, Size.TINY: 2}
CHECKPOINTS = {Size.FULL: 10, Size.TINY: 2}
WORKERS = {Size.FULL: 64, Size.TINY: 2}
LOST_SHARE, CRASH_SHARE = 0.03, 0.02
"""Of the jobs."""
STEP_S = 1.0
"""Of simulated time: how long a job takes."""


class Failing(FakeEngine):
    """Jobs of which some are lost or crash, by a fixed seed; what the work itself costs is left out."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers=workers)
        self.chance, self.work_s = random.Random(0), 0.0
        self.behaviour = self._one

    def _one(self, job: Job) -> list[Event]:
        drawn = self.chance.random()
        if drawn < LOST_SHARE:
            return failing(Failure.LOST)(job)
        if drawn < LOST_SHARE + CRASH_SHARE:
            return failing(Failure.CRASH)(job)
        started = time.process_time()
        events = work(job)
        self.work_s += time.process_time() - started
        return events


def measure(size: Size = Size.FULL) -> list[Figure]:
    """All checkpoints lie there at the start; time is ours, and a job takes a second of it."""
    with tempfile.TemporaryDirectory() as folder:
        target = many_runs(Path(folder), size)
        engine, commits, now = Failing(WORKERS[size]), Counter[tuple[str, str, str]](), time.time()

        def observe(watched: WatchedRun, event: Event) -> None:
            if event.kind == "committed":
                commits[watched.run.name, watched.running[event.job], event.analysis] += 1

        supervisor = Supervisor([target], Plan(rescan_s=60.0), engine, observer=observe, clock=lambda: now)
        supervisor.step(now)
        supervisor.step(now := now + STEP_S)
        began, cpu, before = now, time.process_time(), engine.work_s
        while undone(supervisor):
            supervisor.step(now := now + STEP_S)
        cpu_s = time.process_time() - cpu - (engine.work_s - before)
        states = Counter(row.state for watched in supervisor.runs.values() for row in watched.rows)
        supervisor.close()
    wanted = RUNS[size] * CHECKPOINTS[size]
    what = f"{RUNS[size]} runs x {CHECKPOINTS[size]} checkpoints, {WORKERS[size]} workers"
    return [
        Figure(name="supervisor's CPU a finished job", value=cpu_s / wanted, unit="s", bar="<= 0.02", note=what),
        Figure(
            name="checkpoints lost", value=wanted - states[CheckpointState.DONE], unit="", bar="== 0", note=what
        ),
        Figure(name="results committed twice", value=sum(n > 1 for n in commits.values()), unit="", bar="== 0"),
        Figure(name="jobs a second of simulated time", value=wanted / (now - began), unit="1/s", note=what),
    ]


def undone(supervisor: Supervisor) -> bool:
    """Whether any checkpoint still has work left."""
    return any(row.state in UNDECIDED for watched in supervisor.runs.values() for row in watched.rows)


def many_runs(folder: Path, size: Size) -> Path:
    """Runs of the same weights, by hard links: what is analysed does not matter here."""
    template, target = judge_template(folder), folder / "runs"
    first = describe(target / "run-0", steps=10_000)
    for step in range(1, CHECKPOINTS[size] + 1):
        add_checkpoint(first, 10 * step, template, step)
    for number in range(1, RUNS[size]):
        shutil.copytree(first, target / f"run-{number}", copy_function=os.link)
    return target
