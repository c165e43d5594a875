"""A clock that somebody sets: scans, heartbeats and waits go on by the seconds that really pass."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from analyzer.jobs.messages import Failure
from analyzer.supervisor.clock_jumps import ClockJumps
from analyzer.supervisor.compute_slot import Slot
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from shared.files import read_record
from shared.records import Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine, failing, work
from tests.making.runs import add_checkpoint, describe

HOUR = 3600.0


@dataclass
class Machine:
    """Two clocks: `ticks` goes on, `wall` is set by people."""

    target: Path
    engine: FakeEngine = field(default_factory=FakeEngine)
    plan: Plan = field(default_factory=Plan)
    wall: float = field(default_factory=time.time)
    ticks: float = 0.0

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(
            [self.target], self.plan, self.engine, clock=lambda: self.wall, ticks=lambda: self.ticks
        )

    def pass_by(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(int(seconds / step)):
            self.wall, self.ticks = self.wall + step, self.ticks + step
            self.supervisor.step(self.wall)

    @property
    def status(self) -> Status:
        return read_record(Run.at(self.target).status, Status)

    @property
    def states(self) -> dict[int, str]:
        return {row.step: row.state.value for row in self.status.checkpoints}


@pytest.mark.parametrize("by", [-HOUR, HOUR, -10 * HOUR])
def test_scans_and_heartbeats_go_on(
    tmp_path: Path, template: Path, by: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    machine = Machine(describe(tmp_path / "run"))
    add_checkpoint(machine.target, 10, template, 1.0)
    machine.pass_by(8)
    assert machine.states == {10: "done"}
    machine.wall += by
    add_checkpoint(machine.target, 20, template, 2.0)
    machine.pass_by(8)
    assert machine.states == {10: "done", 20: "done"}
    said = f"the clock was set, or the machine slept: {by:+.0f} s"
    assert [record.getMessage() for record in caplog.records].count(said) == 1
    assert abs(machine.status.heartbeat_at - machine.wall) <= 5, "no heartbeat of another time"


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_checkpoint_settles_in_the_seconds_it_takes(tmp_path: Path, template: Path, by: float) -> None:
    machine = Machine(describe(tmp_path / "run"))
    machine.pass_by(4)
    path = add_checkpoint(machine.target, 10, template, 1.0, announced=False)
    machine.pass_by(1)
    machine.supervisor.notice([machine.target])
    machine.pass_by(1)
    machine.wall += by
    machine.supervisor.notice([machine.target])
    machine.pass_by(1)
    assert machine.engine.jobs == [], f"an hour on the clock is no settle time of {path.name}"
    machine.pass_by(6)
    assert machine.states == {10: "done"}


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_failed_attempt_and_a_full_disk_wait_no_longer(tmp_path: Path, template: Path, by: float) -> None:
    machine = Machine(describe(tmp_path / "run"), FakeEngine(failing(Failure.CRASH)), Plan(backoff_s=20))
    add_checkpoint(machine.target, 10, template, 1.0)
    machine.pass_by(6)
    assert machine.states == {10: "retrying"}
    machine.wall += by
    machine.engine.behaviour = work
    machine.pass_by(26)
    assert machine.states == {10: "done"}
    (watched,) = machine.supervisor.runs.values()
    watched.pause.hit("full", tmp_path, machine.wall)
    machine.wall += by
    machine.pass_by(8)
    assert not watched.pause.cause


def test_only_what_somebody_sets_is_a_jump() -> None:
    tick = 100.0
    jumps = ClockJumps(lambda: tick)
    assert jumps.since_last_look(5000.0) == 0.0
    tick += 3.0
    assert jumps.since_last_look(5004.0) == 0.0, "corrected by a second"
    tick += 600.0
    assert jumps.since_last_look(5604.0) == 0.0, "a long scan"
    tick += 3.0
    assert jumps.since_last_look(5604.0 - 3597.0) == -3600.0


def test_a_device_is_looked_at_after_the_clock_was_set_back(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [False]
    monkeypatch.setattr(Slot, "_cpu_idle", lambda slot: looks[-1])
    machine = Machine(describe(tmp_path / "run"), plan=Plan(slot="idle"))
    add_checkpoint(machine.target, 10, template, 1.0)
    machine.pass_by(8)
    assert machine.states == {10: "queued"}
    machine.wall -= HOUR
    looks.append(True)
    machine.pass_by(12)
    assert machine.states == {10: "done"}
