"""More than one run, or more than one analyzer."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.supervisor.lease import HEARTBEAT_S, LeaseRecord
from analyzer.supervisor.loop import LOOKS_S, Supervisor
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import MidwatchError
from shared.files import read_record, write_record
from shared.records import CheckpointState, Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe, snapshot
from tests.making.stage import Stage


def test_a_folder_of_runs(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template)
    stage.step()
    for name in ("a", "b"):
        for step in (10, 20):
            add_checkpoint(describe(tmp_path / name), step, template)
    stage.steps(12)
    assert [(job.run.name, job.checkpoint) for job in stage.engine.jobs[:2]] != [], "both were found"
    assert {job.run.name for job in stage.engine.jobs[:2]} == {"a", "b"}, "runs take turns"
    for name in ("a", "b"):
        status = read_record(tmp_path / name / "_midwatch" / "status.json", Status)
        assert [row.state for row in status.checkpoints] == [CheckpointState.DONE] * 2
    assert not (tmp_path / "_midwatch").exists()


def test_a_run_that_vanishes_is_not_brought_back(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template)
    run = describe(tmp_path / "a")
    add_checkpoint(run, 10, template)
    stage.engine.held = True
    stage.steps(2)
    assert stage.engine.names == ["checkpoint-10"]
    shutil.rmtree(run)
    stage.steps(5)
    assert not run.exists()
    assert not stage.engine.busy
    add_checkpoint(describe(run), 20, template)
    stage.engine.held = False
    stage.steps(4)
    assert read_record(run / "_midwatch" / "status.json", Status).checkpoints[0].state == CheckpointState.DONE


def test_results_elsewhere(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, template)
    shutil.rmtree(run / "_midwatch" / "pins", ignore_errors=True)
    before = snapshot(run)
    stage = Stage(run, template, out=tmp_path / "elsewhere")
    stage.steps(4)
    assert stage.states == {10: "done"}
    assert snapshot(run) == before
    assert Run.at(tmp_path / "elsewhere").path == run


def test_a_second_analyzer_waits(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.add(10)
    stage.step()
    second = replace(stage, engine=FakeEngine())
    second.steps(5, 1)
    assert second.engine.jobs == []
    assert "another analyzer" in caplog.text
    assert caplog.text.count("another analyzer") == 1
    stage.supervisor.close()
    second.now = stage.now = max(stage.now, second.now) + 10
    second.steps(4)
    assert second.engine.names == ["checkpoint-10"]


def test_a_second_analyzer_that_cannot_wait_ends(stage: Stage) -> None:
    stage.step()
    second = replace(stage, engine=FakeEngine(), plan=Plan(once=True))
    with pytest.raises(MidwatchError, match="another analyzer"):
        second.steps(2)


class Counting(Supervisor):
    """Counts looks at each run."""

    def look(self, watched: WatchedRun, now: float) -> None:
        looks[watched.run.name] += 1
        super().look(watched, now)


looks: Counter[str] = Counter()


def test_a_job_that_ends_and_an_event_have_their_own_run_looked_at(tmp_path: Path, template: Path) -> None:
    """A look at 200 runs of 100 checkpoints takes seconds, and every finished job took one."""
    for name in ("a", "b", "c"):
        add_checkpoint(describe(tmp_path / name), 10, template, 1.0)
    now = time.time()
    service = Counting([tmp_path], Plan(rescan_s=60), FakeEngine(), clock=lambda: now)
    looks.clear()
    service.step(now)
    assert looks == {"a": 1, "b": 1, "c": 1}
    for _ in range(6):
        now += 1
        service.step(now)
    assert looks == {"a": 2, "b": 2, "c": 2}, "each job ended, and only its run was looked at"
    service.notice([tmp_path / "b" / "checkpoint-20"])
    service.step(now)
    assert looks == {"a": 2, "b": 3, "c": 2}
    service.notice([tmp_path / "elsewhere"])
    service.step(now)
    assert looks == {"a": 3, "b": 4, "c": 3}, "what is nobody's may be anybody's"
    service.close()


def test_one_round_looks_at_no_more_runs_than_it_has_time_for(tmp_path: Path, template: Path) -> None:
    """A thousand runs that all have news would hold up every lease and heartbeat until the last one's turn."""
    for name in "abcde":
        add_checkpoint(describe(tmp_path / name), 10, template, 1.0)
    now = time.time()

    class Long(Counting):
        def look(self, watched: WatchedRun, now_: float) -> None:
            nonlocal now
            now += 0.6 * LOOKS_S
            super().look(watched, now_)

    service = Long([tmp_path], Plan(rescan_s=10_000), FakeEngine(held=True), clock=lambda: now)
    looks.clear()
    seen = []
    for _ in range(3):
        service.woken.clear()
        service.step(now)
        seen.append((sum(looks.values()), service.woken.is_set()))
    assert seen == [(2, True), (4, True), (5, False)], "and the rest is looked at without a wait"
    assert looks == dict.fromkeys("abcde", 1), "each has its turn before one has another"
    service.close()


def test_leases_and_heartbeats_go_on_between_scans_that_are_far_apart(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "run")
    add_checkpoint(run, 10, template, 1.0)
    now = time.time()
    service = Supervisor([tmp_path], Plan(rescan_s=10_000), FakeEngine(), clock=lambda: now)
    service.step(now)
    for _ in range(30):
        now += 5
        service.step(now)
        found = read_record(Run.at(run).lease, LeaseRecord)
        assert now - found.heartbeat_at <= HEARTBEAT_S
        assert now - read_record(Run.at(run).status, Status).heartbeat_at <= 5
    other = found.model_copy(update={"owner": "another", "heartbeat_at": now})
    write_record(Run.at(run).lease, other)
    now += HEARTBEAT_S
    service.step(now)
    (watched,) = service.runs.values()
    assert watched.other == other and watched.rows == []
    service.close()


def test_nothing_of_ours_brings_a_deleted_run_back_between_scans(tmp_path: Path, template: Path) -> None:
    run = describe(tmp_path / "runs" / "run")
    add_checkpoint(run, 10, template, 1.0)
    now = time.time()
    service = Supervisor([tmp_path / "runs"], Plan(rescan_s=10_000), FakeEngine(), clock=lambda: now)
    for _ in range(4):
        now += 1
        service.step(now)
    shutil.rmtree(run)
    for _ in range(5):
        now += 30
        service.step(now)
    assert not run.exists() and service.runs == {}
    service.close()
