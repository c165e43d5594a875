"""A supervisor over one folder, stepped by hand with a clock of our own and an engine that does as it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analyzer.supervisor.loop import Observer, Supervisor, ignore
from analyzer.supervisor.plan import Plan
from shared.files import read_record
from shared.records import Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint

ANALYSES = ["tokens", "layers"]


@dataclass
class Stage:
    """A supervisor over one folder, and time that passes when we say so."""

    target: Path
    template: Path
    plan: Plan = field(default_factory=Plan)
    engine: FakeEngine = field(default_factory=FakeEngine)
    out: Path | None = None
    now: float = 0.0
    observer: Observer = ignore

    def __post_init__(self) -> None:
        self.now = self.now or time.time()
        self.supervisor = Supervisor(
            [self.target], self.plan, self.engine, self.out, self.observer, clock=lambda: self.now
        )

    def step(self, seconds: float = 3.0) -> None:
        self.now += seconds
        self.supervisor.step(self.now)

    def steps(self, count: int = 20, seconds: float = 3.0) -> None:
        for _ in range(count):
            self.step(seconds)

    def add(self, step: int, epoch: float | None = None, **options: Any) -> Path:
        return add_checkpoint(self.target, step, self.template, epoch or step / 10, **options)

    def restart(self, **plan: Any) -> Stage:
        """Another supervisor, after this one was killed without a word."""
        for watched in self.supervisor.runs.values():
            watched.lease.release()  # what the dead process's lease is worth is the lease's own test
        return replace(self, plan=replace(self.plan, **plan), engine=FakeEngine(), now=self.now)

    @property
    def status(self) -> Status:
        return read_record(Run.at(self.target, self.out).status, Status)

    @property
    def states(self) -> dict[int, str]:
        return {row.step: row.state.value for row in self.status.checkpoints}

    def cause(self, step: int) -> str:
        return next(row.cause or "" for row in self.status.checkpoints if row.step == step)

    def results(self) -> list[Path]:
        return sorted(self.target.glob("_midwatch/results/*/*/*/result.json"))
