"""The supervisor, stepped by hand with a clock of our own and an engine that does as it is told."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.jobs.messages import Event, Failure
from analyzer.supervisor.attempts import Ledger
from analyzer.supervisor.loop import Supervisor
from analyzer.supervisor.plan import Plan
from shared.errors import MidwatchError, RunError, UsageError
from shared.files import read_record, write_record
from shared.records import CheckpointState, RunRecord, Status
from shared.run import Run
from tests.making.fake_engine import FakeEngine, failing, work
from tests.making.runs import add_checkpoint, describe, judge_template, make_old, probes, snapshot
from trainer.announce import announce

ANALYSES = ["tokens", "layers"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@dataclass
class Stage:
    """A service over one folder, and time that passes when we say so."""

    target: Path
    template: Path
    plan: Plan = field(default_factory=Plan)
    engine: FakeEngine = field(default_factory=FakeEngine)
    out: Path | None = None
    now: float = 0.0

    def __post_init__(self) -> None:
        self.now = self.now or time.time()
        self.service = Supervisor([self.target], self.plan, self.engine, self.out, clock=lambda: self.now)

    def step(self, seconds: float = 3.0) -> None:
        self.now += seconds
        self.service.step(self.now)

    def steps(self, count: int = 20, seconds: float = 3.0) -> None:
        for _ in range(count):
            self.step(seconds)

    def add(self, step: int, epoch: float | None = None, **options: Any) -> Path:
        return add_checkpoint(self.target, step, self.template, epoch or step / 10, **options)

    def restart(self, **plan: Any) -> Stage:
        """Another supervisor, after this one was killed without a word."""
        for watched in self.service.runs.values():
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


@pytest.fixture
def stage(tmp_path: Path, template: Path) -> Stage:
    return Stage(describe(tmp_path / "run"), template)


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


def test_newest_first_with_backfill(stage: Stage) -> None:
    for step in (10, 20, 30):
        stage.add(step)
    stage.step()
    stage.add(40)
    stage.steps()
    assert stage.engine.names == ["checkpoint-30", "checkpoint-40", "checkpoint-20", "checkpoint-10"]


def test_all_in_order(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="all"))
    for step in (10, 20, 100):
        stage.add(step)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10", "checkpoint-20", "checkpoint-100"]


def test_interval_and_the_last_one(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=50), template, Plan(policy="all", interval=2))
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps()
    assert stage.states == {10: "done", 20: "done", 30: "skipped"}
    assert "--interval 2" in stage.cause(30)
    stage.add(40)
    stage.add(50)
    stage.steps()
    assert stage.states == {10: "done", 20: "done", 30: "skipped", 40: "done", 50: "done"}
    assert stage.engine.names == ["checkpoint-10", "checkpoint-20", "checkpoint-40", "checkpoint-50"]


def test_the_last_one_of_a_training_that_stopped_early(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=500), template, Plan(policy="all", interval=2, quiet_s=1800))
    for step in (10, 20, 30):
        stage.add(step)
    stage.steps()
    assert stage.states[30] == "skipped"
    stage.step(1801)
    stage.steps(3)
    assert stage.states[30] == "done"


def test_rotation_does_not_shift_every_nth(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(policy="every:3"))
    for step in range(10, 80, 10):
        stage.add(step)
        stage.steps(2)
        if step > 10:
            shutil.rmtree(stage.target / f"checkpoint-{step - 10}")
    assert stage.engine.names == ["checkpoint-10", "checkpoint-40", "checkpoint-70"]


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


def test_backoff_then_quarantine_then_retry(tmp_path: Path, template: Path) -> None:
    stage = Stage(
        describe(tmp_path / "run"), template, Plan(backoff_s=10), FakeEngine(failing(Failure.CRASH, "dead"))
    )
    stage.add(10)
    stage.add(20)
    stage.steps(3, 1)
    row = stage.status.checkpoints[1]
    assert (row.state, row.attempts, row.cause) == (CheckpointState.RETRYING, 1, "dead")
    assert row.retry_at is not None
    assert stage.engine.names == ["checkpoint-20", "checkpoint-10"], "the rest goes on meanwhile"
    stage.steps(60, 1)
    assert stage.states == {10: "quarantined", 20: "quarantined"}
    assert sorted(stage.engine.names) == ["checkpoint-10"] * 3 + ["checkpoint-20"] * 3
    assert stage.engine.jobs[-1].batch_divisor == 4, "a worker that died may have wanted memory"
    stage.steps(60, 100)
    assert len(stage.engine.jobs) == 6
    stage.engine.behaviour = work
    Ledger(Run.at(stage.target).attempts).reset("checkpoint-10")
    stage.steps(4)
    assert stage.states == {10: "done", 20: "quarantined"}


def test_one_failing_analysis_does_not_cost_the_others(stage: Stage) -> None:
    def partly(job) -> list[Event]:
        job = job.model_copy(update={"analyses": ["layers"]})
        events = work(job)
        failed = Event(
            kind="failed", job=job.id, analysis="tokens", failure=Failure.ANALYSIS, cause="ValueError: no"
        )
        return [*events[:-1], failed, events[-1]]

    stage.engine.behaviour = partly
    stage.add(10)
    stage.steps(60)
    row = stage.status.checkpoints[0]
    assert (row.state, row.attempts) == (CheckpointState.QUARANTINED, 3)
    assert (row.done, row.missing) == (["layers"], ["tokens"])
    assert row.cause == "tokens: ValueError: no"


def test_what_cannot_be_computed_is_explained_and_not_tried_again(stage: Stage) -> None:
    def cannot(job) -> list[Event]:
        events = work(job.model_copy(update={"analyses": [n for n in job.analyses if n == "tokens"]}))
        if "layers" not in job.analyses:
            return events
        failed = Event(
            kind="failed", job=job.id, analysis="layers", failure=Failure.CANNOT, cause="Unknown family."
        )
        return [*events[:-1], failed, events[-1]]

    stage.engine.behaviour = cannot
    stage.add(10)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10"]
    row = stage.status.checkpoints[0]
    assert (row.state, row.done, row.missing) == (CheckpointState.DONE, ["tokens"], ["layers"])
    assert row.cause == "layers: Unknown family."


def test_a_judge_that_cannot_serve_is_rejected_until_it_changes(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.REJECTED, "It has NaN weights.")
    path = stage.add(10)
    stage.steps()
    assert stage.engine.names == ["checkpoint-10"]
    assert stage.states == {10: "rejected"}
    assert stage.cause(10) == "It has NaN weights."
    stage.engine.behaviour = work
    shutil.rmtree(path)
    stage.add(10, shift=0.5)
    stage.steps()
    assert stage.states == {10: "done"}


def test_a_change_meanwhile_uses_no_attempt(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.CHANGED, "overwritten")
    stage.add(10)
    stage.steps(8)
    assert stage.status.checkpoints[0].attempts == 0
    stage.engine.behaviour = work
    stage.steps(3)
    assert stage.states == {10: "done"}


def test_a_full_disk_pauses_and_uses_no_attempt(stage: Stage) -> None:
    stage.engine.behaviour = failing(Failure.STORAGE, "No space left on device")
    stage.add(10)
    stage.steps(2, 1)
    assert stage.status.state == "paused"
    assert "No space left" in stage.status.message
    jobs = len(stage.engine.jobs)
    stage.step(1)
    assert len(stage.engine.jobs) == jobs, "it waits before it tries again"
    stage.engine.behaviour = work
    stage.steps(30, 1)
    assert stage.states == {10: "done"}
    assert stage.status.state == "idle"


def test_our_folder_becomes_unwritable(stage: Stage) -> None:
    """A file in place of the folder stands for a read-only disk: it stops root, too."""
    stage.step()
    stage.add(10)
    attempts = stage.target / "_midwatch" / "attempts"
    attempts.write_text("")
    stage.steps(3)
    assert stage.status.state == "paused"
    assert stage.engine.jobs == []
    attempts.unlink()
    stage.steps(6, 10)
    assert stage.states == {10: "done"}


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (
            lambda path: (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:-9]),
            "truncated",
        ),
        (lambda path: (path / "model.safetensors").write_bytes(bytes(4096)), "zero_filled"),
        (lambda path: (path / "model.safetensors").rename(path / "pytorch_model.bin"), "pickle"),
        (lambda path: (path / "config.json").write_text("{"), "bad_config"),
    ],
)
def test_damaged_checkpoints_are_refused_and_the_rest_goes_on(stage: Stage, damage, code: str) -> None:
    damage(stage.add(10, announced=False))
    stage.add(20)
    make_old(stage.target / "checkpoint-10")
    stage.steps()
    assert stage.states == {10: "rejected", 20: "done"}
    assert f"[{code}]" in stage.cause(10)


@pytest.mark.parametrize("epoch", ["1e999", "NaN", "-Infinity", "1" + "0" * 400, '"three"', "[]", "true"])
@pytest.mark.parametrize("announced", [True, False])
def test_numbers_that_are_none(stage: Stage, epoch: str, announced: bool) -> None:
    """What a file says about the epoch never stops the analyzer."""
    path = stage.add(10, announced=False)
    (path / "trainer_state.json").write_text(f'{{"global_step": 10, "epoch": {epoch}}}')
    if announced:
        commit = announce(stage.target, 10, None, {})
        text = commit.read_text().replace('"epoch": null', f'"epoch": {epoch}')
        commit.write_text(text.replace('"written_at": ', '"written_at": 1e999, "was": '))
    make_old(path)
    stage.steps(5)
    assert stage.status.checkpoints[0].epoch in (None, 1.0)
    assert stage.status.checkpoints[0].state in (CheckpointState.DONE, CheckpointState.QUEUED)


def test_a_checkpoint_that_breaks_our_own_code_stops_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import analyzer.supervisor.checkpoint_row

    real = analyzer.supervisor.checkpoint_row.validate

    def validate(directory: Path, source: Path):
        if source.name == "checkpoint-10":
            raise ZeroDivisionError("a bug")
        return real(directory, source)

    monkeypatch.setattr(analyzer.supervisor.checkpoint_row, "validate", validate)
    stage.add(10)
    stage.add(20)
    stage.steps(8)
    assert stage.states == {10: "rejected", 20: "done"}
    assert "ZeroDivisionError: a bug" in stage.cause(10)
    assert caplog.text.count("Traceback") == 1


def test_a_half_written_checkpoint_waits(stage: Stage) -> None:
    path = stage.add(10, announced=False)
    state = (path / "trainer_state.json").read_text()
    (path / "trainer_state.json").unlink()
    stage.steps()
    assert stage.states == {10: "incomplete"}
    assert "still being written" in stage.cause(10)
    (path / "trainer_state.json").write_text(state)
    stage.steps(4)
    assert stage.states == {10: "done"}


def test_an_overwritten_checkpoint_is_analysed_anew(stage: Stage) -> None:
    path = stage.add(10)
    stage.steps(4)
    shutil.rmtree(path)
    stage.add(10, shift=0.7)
    stage.steps(4)
    assert stage.engine.names == ["checkpoint-10", "checkpoint-10"]
    assert len(stage.results()) == 4, "the old results stay under their own key"


def test_other_probes_are_other_results(stage: Stage) -> None:
    from shared.prompts.probes import write_probes

    stage.add(10)
    stage.steps(4)
    write_probes(stage.target / "probes.jsonl", probes()[:-1])
    stage.steps(4)
    assert len(stage.results()) == 4


def test_a_foreign_run_without_probes_waits_and_says_what_to_do(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path / "foreign", template)
    stage.target.mkdir()
    stage.add(10, announced=False)
    stage.steps(4)
    assert stage.status.state == "waiting"
    assert "midwatch init" in stage.status.message
    assert stage.states == {10: "queued"}
    shutil.copy(describe(tmp_path / "other") / "probes.jsonl", stage.target)
    stage.steps(4)
    assert stage.states == {10: "done"}


def test_bad_probes_are_said_by_line(stage: Stage) -> None:
    (stage.target / "probes.jsonl").write_text('{"text": "", "label": "safe"}\n')
    stage.add(10)
    stage.steps(3)
    assert "line 1" in stage.status.message
    assert stage.engine.jobs == []


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


def test_a_run_that_cannot_be_written_says_so(tmp_path: Path, template: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copytree(template, run / "checkpoint-10")
    (run / "_midwatch").write_text("a file in place of the folder: not even root can write below it")
    stage = Stage(run, template)
    with pytest.raises(RunError, match="--out"):
        stage.step()


def test_a_second_analyzer_waits(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.add(10)
    stage.step()
    second = replace(stage, engine=FakeEngine())
    second.steps(5, 1)
    assert second.engine.jobs == []
    assert "another analyzer" in caplog.text
    assert caplog.text.count("another analyzer") == 1
    stage.service.close()
    second.now = stage.now = max(stage.now, second.now) + 10
    second.steps(4)
    assert second.engine.names == ["checkpoint-10"]


def test_a_second_analyzer_that_cannot_wait_ends(stage: Stage) -> None:
    stage.step()
    second = replace(stage, engine=FakeEngine(), plan=Plan(once=True))
    with pytest.raises(MidwatchError, match="another analyzer"):
        second.steps(2)


def test_stopping_uses_no_attempt(stage: Stage) -> None:
    stage.add(10)
    stage.engine.held = True
    stage.step()
    stage.service.close()
    assert stage.engine.closed
    assert stage.status.state == "stopped"
    assert stage.status.running is None
    assert not (stage.target / "_midwatch" / "lease.json").exists()
    after = replace(stage, engine=FakeEngine(failing(Failure.CRASH)))
    after.steps(3, 1)
    assert after.status.checkpoints[0].attempts == 1


def test_slots(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run", steps=20), template, Plan(slot="after-training"))
    stage.add(10)
    stage.steps(3)
    assert stage.engine.jobs == []
    assert (stage.status.state, stage.status.message) == ("waiting", "Waiting for its slot: after-training.")
    stage.add(20)
    stage.steps(5)
    assert stage.states == {10: "done", 20: "done"}


def test_selected_and_forced(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template)
    for step in (10, 20):
        stage.add(step)
    stage.steps(6)
    before = {path: path.stat().st_mtime_ns for path in stage.results()}
    forced = stage.restart(selected=frozenset({"checkpoint-10"}), force=True, once=True)
    forced.steps(6)
    assert forced.engine.names == ["checkpoint-10"]
    assert forced.engine.jobs[0].force
    assert forced.service.nothing_left
    assert {path: path.stat().st_mtime_ns for path in stage.results()} == before, "the fake keeps what is there"


def test_once_ends_when_nothing_is_left(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(once=True))
    stage.add(10)
    stage.add(20, announced=False)
    make_old(stage.target / "checkpoint-20")
    left = []
    for _ in range(8):
        stage.step(1)
        left.append(stage.service.nothing_left)
    assert not any(left[:3]), "it waits for what settles"
    assert left[-1]
    assert stage.states == {10: "done", 20: "done"}


def test_once_without_anything_to_do(tmp_path: Path, template: Path) -> None:
    stage = Stage(tmp_path, template, Plan(once=True))
    stage.steps(2)
    with pytest.raises(RunError, match="holds no run"):
        assert stage.service.nothing_left
    empty = Stage(describe(tmp_path / "empty"), template, Plan(once=True))
    empty.steps(2)
    with pytest.raises(RunError, match="no checkpoint-<step>"):
        assert empty.service.nothing_left
    foreign = Stage(tmp_path / "foreign", template, Plan(once=True))
    foreign.target.mkdir()
    foreign.add(10, announced=False)
    foreign.steps(4)
    with pytest.raises(UsageError, match="midwatch init"):
        assert foreign.service.nothing_left


def test_once_on_a_full_disk_ends_with_a_sentence(tmp_path: Path, template: Path) -> None:
    engine = FakeEngine(failing(Failure.STORAGE, "No space left on device"))
    stage = Stage(describe(tmp_path / "run"), template, Plan(once=True), engine)
    stage.add(10)
    stage.steps(2, 1)
    with pytest.raises(MidwatchError, match="No space left"):
        assert stage.service.nothing_left


def test_an_analysis_that_does_not_exist(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(only=("tokenz",)))
    with pytest.raises(UsageError, match=r"tokenz.*tokens, layers"):
        stage.steps(2)


def test_only_some_analyses(tmp_path: Path, template: Path) -> None:
    stage = Stage(describe(tmp_path / "run"), template, Plan(only=("layers",)))
    stage.add(10)
    stage.steps(4)
    assert stage.status.checkpoints[0].done == ["layers"]
    assert stage.status.analyses == ["layers"]


def test_heartbeat_without_news(stage: Stage) -> None:
    stage.steps(2)
    beats = set()
    for _ in range(10):
        stage.step(3)
        beats.add(stage.status.heartbeat_at)
    assert stage.now - max(beats) <= stage.status.interval_s
    assert len(beats) >= 5


def test_a_damaged_run_json_is_said(stage: Stage) -> None:
    stage.add(10)
    (stage.target / "run.json").write_text("{")
    stage.steps(3)
    assert "run.json" in stage.status.message
    write_record(stage.target / "run.json", RunRecord())
    stage.steps(4)
    assert stage.states == {10: "done"}
