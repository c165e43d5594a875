"""The supervisor, stepped by hand with a clock of our own and an engine that does as it is told."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from analyzer.commands.init import InitSettings, init_run
from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.lease import Lease
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import MidwatchError, RunError, UsageError
from shared.files import write_record
from shared.notices import PROBES_ASSUMED
from shared.records import CheckpointState, JudgeRecord, RunRecord
from tests.making.fake_engine import failing
from tests.making.runs import describe, make_old, probes, snapshot
from tests.making.stage import ANALYSES, Stage


def test_the_way_of_a_checkpoint(stage: Stage) -> None:
    path = stage.add(10)
    before = snapshot(path)
    stage.step()
    assert stage.engine.names == ["checkpoint-10"]
    assert stage.status.state == "running"
    assert stage.status.running is not None
    assert (stage.status.lag_checkpoints, stage.states) == (1, {10: "running"})
    assert list(stage.target.glob("_midwatch/attempts/*.json")), "the attempt is on file before it ends"
    stage.step()
    assert stage.states == {10: "done"}
    assert stage.status.checkpoints[0].done == ANALYSES
    assert (stage.status.state, stage.status.lag_checkpoints, stage.status.lag_s) == ("idle", 0, 0.0)
    assert len(stage.results()) == 2
    assert not list(stage.target.glob("_midwatch/attempts/*.json"))
    assert not list(stage.target.glob("_midwatch/pins/*"))
    assert snapshot(path) == before, "nothing was written, touched or renamed in it"
    stage.steps()
    assert stage.engine.names == ["checkpoint-10"], "work is never repeated"


def test_what_another_thread_tells_is_taken_in_by_the_loops_own(stage: Stage) -> None:
    stage.add(10)
    stage.steps(4)
    (watched,) = stage.supervisor.runs.values()
    before = watched.looked_at
    stage.step(0.001)
    assert watched.looked_at == before
    stage.supervisor.woken.clear()
    teller = threading.Thread(target=stage.supervisor.tell, args=([stage.target],))
    teller.start()
    teller.join()
    assert stage.supervisor.woken.is_set() and not watched.dirty
    stage.step(0.001)
    assert watched.looked_at == stage.now


def test_a_checkpoint_that_is_rotated_away_is_analysed_from_its_pin(stage: Stage) -> None:
    stage.engine.held = True
    stage.add(10)
    stage.step()
    stage.add(20)
    stage.step()
    shutil.rmtree(stage.target / "checkpoint-20")
    shutil.rmtree(stage.target / "checkpoint-10")
    stage.step()
    after = stage.restart()
    after.steps()
    assert after.states == {10: "done", 20: "done"}
    assert len(after.results()) == 4
    assert not list(stage.target.glob("_midwatch/pins/*"))


def test_results_of_what_is_gone_stay_listed(stage: Stage) -> None:
    stage.add(10)
    stage.steps(4)
    shutil.rmtree(stage.target / "checkpoint-10")
    stage.steps(2)
    assert stage.states == {10: "done"}
    after = stage.restart()
    after.steps(2)
    assert after.states == {10: "done"}
    assert after.status.checkpoints[0].epoch == 1.0


def test_a_restart_finishes_exactly_what_was_missing(stage: Stage) -> None:
    stage.add(10)
    stage.steps(4)
    stage.add(20)
    stage.engine.held = True
    stage.step()
    assert stage.states == {10: "done", 20: "running"}
    before = {path: path.stat().st_mtime_ns for path in stage.results()}
    after = stage.restart()
    after.steps(4)
    assert after.engine.names == ["checkpoint-20"]
    assert after.states == {10: "done", 20: "done"}
    assert before.items() <= {path: path.stat().st_mtime_ns for path in after.results()}.items()


def test_what_a_kill_left_of_a_commit_is_removed(stage: Stage) -> None:
    stage.add(10)
    stage.steps(4)
    committed = stage.results()[0].parent
    left = Path(tempfile.mkdtemp(dir=committed.parent, prefix=f".{committed.name}."))
    (left / "result.json").write_text("{half")
    after = stage.restart()
    after.steps(2)
    assert not left.exists()
    assert len(after.results()) == 2


def test_lost_figures_are_drawn_again(stage: Stage) -> None:
    stage.add(10)
    stage.steps(4)
    (stage.target / "_midwatch" / "drawn" / "checkpoint-10.json").unlink()
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-10", "checkpoint-10"]
    assert len(stage.results()) == 2


def test_other_probes_are_other_results(stage: Stage) -> None:
    from shared.prompts.probes import write_probes

    stage.add(10)
    stage.steps(4)
    write_probes(stage.target / "probes.jsonl", probes()[:-1])
    stage.steps(4)
    assert len(stage.results()) == 4


def test_a_foreign_run_goes_on_with_what_can_be_known_and_says_it(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path / "foreign", template)
    stage.target.mkdir()
    before = snapshot(stage.add(10, announced=False))
    stage.steps(4)
    assert stage.states == {10: "done"}
    assert stage.status.assumed == [PROBES_ASSUMED]
    assert stage.engine.jobs[0].warnings == [PROBES_ASSUMED]
    assert [path.name for path in stage.target.iterdir() if path.name != "_midwatch"] == ["checkpoint-10"]
    assert snapshot(stage.target / "checkpoint-10") == before
    shutil.copy(describe(tmp_path / "other") / "probes.jsonl", stage.target)
    stage.steps(4)
    assert stage.engine.jobs[-1].probes == stage.target / "probes.jsonl", "what is described later wins"
    assert stage.status.assumed == stage.engine.jobs[-1].warnings == []
    assert len(stage.results()) == 4, "what was found on the assumed probes keeps its keys"


def test_what_init_describes_alike_is_not_computed_again(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path / "foreign", template)
    stage.target.mkdir()
    stage.add(10, announced=False)
    stage.steps(4)
    init_run(InitSettings(run=stage.target))
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-10"]
    assert stage.status.assumed == []


def test_a_language_model_waits_to_be_told_and_says_the_command(
    tmp_path: Path, template: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path / "foreign run", template)
    stage.target.mkdir()
    path = stage.add(10, announced=False)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"architectures": ["BertForCausalLM"]}))
    make_old(path)
    stage.steps(4)
    status = stage.status
    assert (status.state, status.remedy) == ("waiting", f"midwatch init '{stage.target}' --chat")
    assert "causal language model" in status.message
    assert "causal language model" in stage.cause(10)
    assert caplog.text.count("causal language model") == 1, "the log says it, once"
    assert (stage.states, stage.engine.jobs) == ({10: "queued"}, [])
    write_record(stage.target / "run.json", RunRecord(judge=JudgeRecord(kind="prompted", unsafe_id=3)))
    stage.steps(4)
    assert (stage.states, stage.status.remedy) == ({10: "done"}, "")


def test_once_ends_when_nothing_is_left(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(once=True))
    stage.add(10)
    stage.add(20, announced=False)
    make_old(stage.target / "checkpoint-20")
    left = []
    for _ in range(8):
        stage.step(1)
        left.append(stage.supervisor.nothing_left)
    assert not any(left[:3]), "it waits for what settles"
    assert left[-1]
    assert stage.states == {10: "done", 20: "done"}


def test_once_without_anything_to_do(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template, Plan(once=True))
    stage.steps(2)
    with pytest.raises(RunError, match="holds no run"):
        assert stage.supervisor.nothing_left
    empty = Stage(describe(tmp_path / "empty"), template, Plan(once=True))
    empty.steps(2)
    with pytest.raises(RunError, match="has no checkpoint yet"):
        assert empty.supervisor.nothing_left
    foreign = Stage(tmp_path / "foreign", template, Plan(once=True))
    foreign.target.mkdir()
    config = foreign.add(10, announced=False) / "config.json"
    config.write_text('{"id2label": {"0": "x", "1": "y"}}')
    make_old(config.parent)
    foreign.steps(4)
    with pytest.raises(UsageError, match="midwatch init"):
        assert foreign.supervisor.nothing_left


def test_heartbeat_without_news(stage: Stage) -> None:
    stage.steps(2)
    beats = set()
    for _ in range(10):
        stage.step(3)
        beats.add(stage.status.heartbeat_at)
    assert stage.now - max(beats) <= stage.status.interval_s
    assert len(beats) >= 5


def test_what_is_said_of_an_earlier_job_is_not_of_this_one(stage: Stage) -> None:
    stage.engine.held = True
    stage.add(10)
    stage.step()
    stage.supervisor.take(Event(kind="finished", job="an earlier one"), stage.now)
    assert len(stage.supervisor.jobs.by_id) == 1
    stage.engine.held = False
    stage.steps(2)
    assert stage.states == {10: "done"}


def test_when_it_looks_again_without_an_event(stage: Stage) -> None:
    """At the next moment that a row names, else after `rescan_s`, or rarely enough where a scan takes long."""
    stage.steps(2)
    supervisor, now = stage.supervisor, stage.now
    (watched,) = supervisor.runs.values()

    def due(*times: float, scan_s: float = 0.0) -> float:
        watched.rows = [
            Row(Point(f"checkpoint-{n}", n, None), CheckpointState.INCOMPLETE, settles_at=time)
            for n, time in enumerate(times, 1)
        ]
        watched.look_s = scan_s
        return supervisor.due - now

    assert due() == stage.plan.rescan_s
    assert due(now + 2, now + 1) == 1
    assert due(now, now - 5) == stage.plan.rescan_s, "what is past is not waited for again and again"
    assert due(scan_s=1.0) == pytest.approx(100), "a hundredth of a core"
    assert due(now + 1, scan_s=1.0) == 1


@pytest.mark.parametrize("once", [True, False])
def test_who_ends_after_another_took_the_run_leaves_its_attempts_alone(
    tmp_path: Path, template: Path, once: bool
) -> None:
    """Stopped for a minute, let go, and told only then that the run is another analyzer's."""
    stage = Stage(describe(tmp_path / "run"), template, Plan(once=once))
    stage.engine.held = True
    stage.add(10)
    stage.steps(4)
    (watched,) = stage.supervisor.runs.values()
    assert stage.supervisor.jobs.of(watched)
    watched.lease.path.unlink()
    other = Lease(watched.lease.path)
    assert other.hold(stage.now) is None
    attempts = (watched.run.attempts / "checkpoint-10.json").read_bytes()
    status = watched.run.status.read_bytes()
    if once:
        with pytest.raises(MidwatchError, match="by another analyzer"):
            stage.step(60.0)
    stage.supervisor.close()
    assert (watched.run.attempts / "checkpoint-10.json").read_bytes() == attempts
    assert watched.run.status.read_bytes() == status and other.is_ours
    assert not stage.supervisor.jobs.by_id


def test_a_job_of_a_run_that_was_lost_ends_and_counts_for_nothing_once_the_run_is_ours_again(stage: Stage) -> None:
    stage.engine.held = True
    stage.add(10)
    stage.steps(4)
    (watched,) = stage.supervisor.runs.values()
    watched.lease.path.unlink()
    other = Lease(watched.lease.path)
    other.hold(stage.now)
    stage.supervisor.look(watched, stage.now + 60.0)
    assert watched.other is not None and stage.engine.cancelled == {stage.engine.jobs[0].id}
    other.release()
    path = watched.run.attempts / "checkpoint-10.json"
    attempts = path.read_bytes()
    stage.supervisor.look(watched, stage.now + 120.0)
    assert watched.other is None and watched.lease.is_ours
    for event in stage.engine.poll(0.0):  # how it ends comes only now
        stage.supervisor.take(event, stage.now)
    assert path.read_bytes() == attempts and not stage.supervisor.jobs.by_id
    stage.engine.held = False
    stage.steps()
    assert stage.states == {10: "done"}


@pytest.mark.parametrize("ours", [True, False])
def test_a_refused_commit_refunds_only_what_is_ours(stage: Stage, ours: bool) -> None:
    """The lease could not be read just then, or it is another analyzer's by now."""
    stage.engine.held = True
    stage.add(10)
    stage.steps(4)
    (watched,) = stage.supervisor.runs.values()
    if not ours:
        watched.lease.path.unlink()
        Lease(watched.lease.path).hold(stage.now)
    attempts = len(watched.ledger.read("checkpoint-10", _identity(watched)).attempts)
    for event in failing(Failure.LEASE)(stage.engine.jobs[0]):
        stage.supervisor.take(event, stage.now)
    left = len(watched.ledger.read("checkpoint-10", _identity(watched)).attempts)
    assert (attempts, left) == (1, 0 if ours else 1)


def _identity(watched: WatchedRun) -> str:
    (row,) = watched.rows
    return row.identity
