"""When status.json is written, and what it says of a run; from a situation made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from analyzer.checkpoints.gate import Candidate
from analyzer.jobs.messages import Event, Job
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.lease import LeaseRecord
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.running_job import Running
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.status_file import INTERVAL_S, PROGRESS_S, Situation, StatusWriter
from analyzer.supervisor.watched_run import WatchedRun
from shared.files import read_record
from shared.records import CheckpointState, RunRecord, Status
from shared.run import Run
from tests.making.fake_worker import COMPUTATIONS

NOW = 1_000_000.0
TICK_S = 0.125
"""Seconds between two rounds of the loop here; a sum of these has no rounding error."""


def row(state: CheckpointState = CheckpointState.QUEUED, step: int = 10, age_s: float = 100) -> Row:
    name = f"checkpoint-{step}"
    candidate = Candidate(name, step, None, Path(name), (), complete_at=NOW - age_s)
    return Row(Point(name, step, None), state, candidate, missing=("tokens",))


def watched_run(path: Path) -> WatchedRun:
    path.mkdir()
    watched = WatchedRun(Run.at(path), Plan())
    watched.rows = [row()]
    return watched


def job_on(watched: WatchedRun, done: int = 0, analysis: str = "tokens") -> Running:
    job = Job(
        id="job",
        run=watched.run.path,
        out=watched.run.out,
        checkpoint="checkpoint-10",
        step=10,
        epoch=None,
        directory=watched.run.path,
        source=watched.run.path,
        files=[],
        pinned=False,
        record=RunRecord(),
        probes=watched.run.probes,
        analyses=["tokens"],
    )
    event = Event(kind="progress", job="job", analysis=analysis, done=done, total=1000)
    return Running(watched, job, "", started_at=NOW, event=event)


@dataclass
class Watching:
    """A run, its situation, and the clock; `look` is one round of the loop."""

    watched: WatchedRun
    writer: StatusWriter
    situation: Situation
    now: float = NOW

    def look(self) -> Status | None:
        """What was written in this round; None when nothing was."""
        before = self.read()
        self.writer.write(self.watched, self.situation, self.now)
        after = self.read()
        self.now += TICK_S
        return after if before is None or after != before else None

    def looks(self, seconds: float, between: Callable[[int], None] = lambda round: None) -> list[Status]:
        """Everything that is written in so many seconds."""
        found = []
        for number in range(int(seconds / TICK_S)):
            between(number)
            found.append(self.look())
        return [status for status in found if status is not None]

    def read(self) -> Status | None:
        path = self.watched.run.status
        return read_record(path, Status) if path.exists() else None

    def progress(self, done: int, analysis: str = "tokens") -> None:
        self.situation = replace(self.situation, running=(job_on(self.watched, done, analysis),))


@pytest.fixture
def watching(tmp_path: Path) -> Watching:
    return Watching(
        watched_run(tmp_path / "run"), StatusWriter(Plan(), NOW), Situation((), (), True, "", COMPUTATIONS, True)
    )


def gaps(found: list[Status]) -> list[float]:
    """Seconds from each write to the next."""
    times = [status.heartbeat_at for status in found]
    return [later - earlier for earlier, later in pairwise(times)]


def test_without_news_only_the_heartbeat(watching: Watching) -> None:
    """Although the lag grows all the time. Early enough for a loop that waits a second to keep the promise."""
    found = watching.looks(60)
    assert found[0].heartbeat_at == NOW
    assert set(gaps(found)) == {INTERVAL_S - 1}
    assert [status.lag_s for status in found[:2]] == [100.0, 100.0 + INTERVAL_S - 1]


def test_the_lag_is_that_of_the_oldest_with_work_left(watching: Watching) -> None:
    states = [CheckpointState.DONE, CheckpointState.QUARANTINED, CheckpointState.RETRYING, CheckpointState.QUEUED]
    ages = [400, 300, 200, 100]
    watching.watched.rows = [row(state, age, age) for state, age in zip(states, ages, strict=True)]
    status = watching.look()
    assert status is not None
    assert (status.lag_checkpoints, status.lag_s) == (2, 200)


def test_a_job_without_progress_has_the_same_heartbeat(watching: Watching) -> None:
    watching.progress(5)
    assert set(gaps(watching.looks(60))) == {INTERVAL_S - 1}


def test_progress_alone_is_written_once_a_second(watching: Watching) -> None:
    found = watching.looks(10, between=watching.progress)
    assert set(gaps(found)) == {PROGRESS_S}
    done = [status.running.done for status in found if status.running]
    assert done == [int(second / TICK_S) for second in range(10)], "and it is the newest"


CHANGES: dict[str, Callable[[Watching], None]] = {
    "another analysis": lambda it: it.progress(0, "layers"),
    "the job's end": lambda it: setattr(it, "situation", replace(it.situation, running=())),
    "a pause": lambda it: setattr(it, "situation", replace(it.situation, running=(), pause="disk full")),
    "a checkpoint is done": lambda it: setattr(it.watched, "rows", [row(CheckpointState.DONE)]),
    "a new checkpoint": lambda it: it.watched.rows.append(row(step=20)),
    "a result": lambda it: setattr(it.watched, "rows", [replace(it.watched.rows[0], done=("tokens",))]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_other_change_is_written_at_once(watching: Watching, change: Callable[[Watching], None]) -> None:
    watching.progress(0)
    assert watching.look() is not None
    change(watching)
    assert watching.look() is not None
    assert watching.look() is None, "and once"


def test_each_run_has_its_own_rate(watching: Watching, tmp_path: Path) -> None:
    """One with a job that gets on does not keep the other's status fresh, nor stale."""
    other = replace(watching, watched=watched_run(tmp_path / "other"))
    mine, others = [], []
    for number in range(160):
        watching.progress(number)
        other.situation = replace(watching.situation, running=(), others=watching.situation.running)
        mine.append(watching.look())
        others.append(other.look())
    assert set(gaps([status for status in mine if status])) == {PROGRESS_S}
    found = [status for status in others if status]
    assert set(gaps(found)) == {INTERVAL_S - 1}
    assert {(status.state, status.message) for status in found} == {("waiting", "The worker is busy with run.")}


def test_another_analyzers_run_is_left_to_it(watching: Watching) -> None:
    watching.watched.other = LeaseRecord(owner="o", pid=1, process_started_at=0, host="h", heartbeat_at=NOW)
    assert watching.looks(20) == []


def test_a_disk_that_refuses_stops_nobody(watching: Watching) -> None:
    watching.watched.run.midwatch.write_text("in the way")
    watching.writer.write(watching.watched, watching.situation, NOW)
    watching.watched.run.midwatch.unlink()
    watching.now += INTERVAL_S
    assert watching.look() is not None, "tried again with the next heartbeat"


def test_the_last_word(watching: Watching) -> None:
    watching.progress(1)
    watching.look()
    watching.writer.stopped(watching.watched, watching.situation, watching.now)
    last = watching.read()
    assert last is not None
    assert (last.state, last.running, last.heartbeat_at) == ("stopped", None, watching.now)


@pytest.mark.parametrize(
    ("change", "state", "message"),
    [
        ({"pause": "/run: full", "computations": {}}, "paused", "/run: full. Then work goes on"),
        ({"computations": {}}, "starting", "The worker is starting."),
        ({"slot_open": False}, "waiting", "Waiting for its slot: always."),
        ({}, "idle", ""),
    ],
)
def test_what_the_loop_is_at(watching: Watching, change: dict, state: str, message: str) -> None:
    watching.situation = replace(watching.situation, **change)
    status = watching.look()
    assert status is not None
    assert status.state == state
    assert status.message.startswith(message)
    assert bool(status.message) == bool(message)


def test_a_fault_comes_before_the_queue(watching: Watching) -> None:
    watching.watched.fault = "It cannot be read."
    watching.situation = replace(watching.situation, slot_open=False)
    status = watching.look()
    assert status is not None
    assert (status.state, status.message) == ("waiting", "It cannot be read.")


def test_what_a_run_waits_to_be_told_comes_before_the_worker_and_with_its_command(watching: Watching) -> None:
    known = watching.watched.description
    known.problem, known.remedy, known.assumed = "Say which class is unsafe.", "midwatch init run", ["Class 1."]
    watching.situation = replace(watching.situation, computations={})
    status = watching.look()
    assert status is not None
    assert (status.state, status.message, status.remedy) == ("waiting", known.problem, known.remedy)
    assert status.assumed == ["Class 1."]
    watching.situation = replace(watching.situation, pause="/run: full")
    status = watching.look()
    assert status is not None
    assert (status.state, status.remedy) == ("paused", ""), "the command is no help against that"


def test_without_checkpoints_it_says_so(watching: Watching) -> None:
    watching.watched.rows = []
    status = watching.look()
    assert status is not None
    assert (status.state, status.message, status.lag_checkpoints) == ("idle", "No checkpoint yet.", 0)
