"""What is read from a run that plain transformers wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate
from analyzer.checkpoints.pins import PinStore
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.run_description import Description, describe, training_over
from analyzer.worker.logged_metrics import logged_metrics, metrics_until
from shared.errors import NotDescribed, UsageError
from shared.notices import PROBES_ASSUMED
from shared.prompts.choice import probe_set_from
from shared.prompts.probes import write_probes
from shared.records import RunRecord
from shared.run import Run
from tests.making.runs import probes

HISTORY = [
    {"epoch": 0.5, "step": 5, "loss": 0.7, "learning_rate": 1e-4, "grad_norm": 2.0},
    {"epoch": 1.0, "step": 10, "eval_loss": 0.6, "eval_f1": 0.8, "eval_runtime": 3.0, "eval_samples_per_second": 9},
    {"epoch": 1.5, "step": 15, "loss": float("nan"), "learning_rate": 5e-5},
    {"epoch": 2.0, "step": 20, "train_runtime": 9.0, "train_loss": 0.5, "total_flos": 1e9},
    {"no step": 1},
    "not an object",
]


def checkpoint(run: Path, step: int = 10, **config: object) -> Path:
    path = run / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    state = {"global_step": step, "max_steps": 40, "num_train_epochs": 4, "log_history": HISTORY}
    (path / "trainer_state.json").write_text(json.dumps(state))
    return path


def test_log_history_as_metrics() -> None:
    lines = logged_metrics({"log_history": HISTORY})
    assert [(line.step, line.split, line.values) for line in lines] == [
        (5, "train", {"loss": 0.7, "learning_rate": 1e-4, "grad_norm": 2.0}),
        (10, "val", {"loss": 0.6, "f1": 0.8}),
        (15, "train", {"learning_rate": 5e-5}),
        (20, "train", {"loss": 0.5}),
    ]
    assert logged_metrics({}) == logged_metrics({"log_history": 3}) == []


def test_metrics_up_to_a_step(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    assert [line.step for line in metrics_until(Run.at(tmp_path), path, 10)] == [5, 10]
    (tmp_path / "metrics.jsonl").write_text('{"step": 7, "split": "val", "values": {"f1": 0.9}}\n{"torn')
    assert [line.step for line in metrics_until(Run.at(tmp_path), path, 10)] == [7], "our own file wins"


def test_labels_from_the_config(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, id2label={"0": "toxic", "1": "benign"}, _name_or_path="org/model")
    record, warnings = describe(path, Run.at(tmp_path))
    assert (record.judge.safe_id, record.judge.unsafe_id) == (1, 0)
    assert (record.model, record.steps, record.epochs) == ("org/model", 40, 4.0)
    assert warnings == []


def test_assumed_labels_are_said(tmp_path: Path) -> None:
    record, warnings = describe(checkpoint(tmp_path), Run.at(tmp_path))
    assert record.judge.unsafe_id == 1
    assert "taking 0 as safe" in warnings[0]


@pytest.mark.parametrize(
    "config",
    [{"id2label": {"1": "a"}}, {"id2label": {"0": "a", "1": "b", "2": "c"}}, {"id2label": {"0": "x", "1": "y"}}],
)
def test_labels_that_cannot_be_told(tmp_path: Path, config: dict) -> None:
    with pytest.raises(UsageError):
        describe(checkpoint(tmp_path, **config), Run.at(tmp_path))


def test_flags_win(tmp_path: Path) -> None:
    record, _ = describe(checkpoint(tmp_path, id2label={"0": "x", "1": "y"}), Run.at(tmp_path), unsafe="x")
    assert (record.judge.safe_id, record.judge.unsafe_id) == (1, 0)


class Foreign:
    """A run of plain transformers with two checkpoints, of which the newer one names its classes the other way."""

    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        self.run = Run.at(path)
        self.pins = PinStore(self.run.pins, 2**20)
        for step, labels in ((10, {"0": "benign", "1": "toxic"}), (20, {"0": "toxic", "1": "benign"})):
            checkpoint(path, step, id2label=labels)
        write_probes(self.run.probes, probes())
        self.candidates = [self.candidate(step) for step in (10, 20)]
        self.known = Description(self.run, Plan())

    def candidate(self, step: int) -> Candidate:
        source = self.run.path / f"checkpoint-{step}"
        return Candidate(source.name, step, None, source, fingerprint(source), complete_at=0.0)

    def refresh(self) -> None:
        self.known.refresh(self.candidates, self.pins)

    @property
    def unsafe(self) -> int:
        assert self.known.record is not None
        return self.known.record.judge.unsafe_id


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path)


def test_the_newest_checkpoint_describes_a_foreign_run(foreign: Foreign) -> None:
    foreign.refresh()
    assert (foreign.unsafe, foreign.known.problem) == (0, "")
    foreign.candidates = foreign.candidates[::-1]
    foreign.refresh()
    assert foreign.unsafe == 0


def test_also_from_its_pin_when_it_is_deleted(foreign: Foreign) -> None:
    assert foreign.pins.pin(foreign.candidates[1]) is not None
    shutil.rmtree(foreign.candidates[1].source)
    foreign.refresh()
    assert foreign.unsafe == 0


def test_deleted_without_a_pin_it_cannot_say_anything(foreign: Foreign) -> None:
    shutil.rmtree(foreign.candidates[1].source)
    foreign.refresh()
    assert "midwatch init" in foreign.known.problem


def test_a_problem_is_over_when_it_is_solved(foreign: Foreign) -> None:
    foreign.known.plan = Plan(probes=foreign.run.path / "mine.jsonl")
    foreign.refresh()
    assert "mine.jsonl cannot be read" in foreign.known.problem
    foreign.known.refresh([], foreign.pins)
    assert foreign.known.problem == "", "nothing is missing as long as there is nothing to analyse"
    write_probes(foreign.run.path / "mine.jsonl", probes())
    foreign.refresh()
    assert foreign.known.problem == ""


def test_without_probes_the_shipped_ones_stand_in_and_are_always_the_same(foreign: Foreign, tmp_path: Path) -> None:
    foreign.run.probes.unlink()
    foreign.refresh()
    assert (foreign.known.problem, foreign.known.warnings) == ("", [PROBES_ASSUMED])
    assert foreign.known.probes == foreign.run.assumed_probes
    assert foreign.known.probe_digest == probe_set_from().digest
    another = Foreign(tmp_path / "another")
    another.run.probes.unlink()
    another.refresh()
    assert another.known.probe_digest == foreign.known.probe_digest
    foreign.run.assumed_probes.write_text("somebody else's")
    fresh = Description(foreign.run, Plan())
    fresh.refresh(foreign.candidates, foreign.pins)
    assert (fresh.problem, fresh.probe_digest) == ("", foreign.known.probe_digest)
    write_probes(foreign.run.probes, probes())
    foreign.refresh()
    assert (foreign.known.probes, foreign.known.warnings) == (foreign.run.probes, [])


def test_names_that_say_nothing_come_with_the_command_that_does(tmp_path: Path) -> None:
    path = tmp_path / "my run"
    foreign = Foreign(path)
    (path / "checkpoint-20" / "config.json").write_text(json.dumps({"id2label": {"0": "x", "1": "y"}}))
    foreign.refresh()
    assert foreign.known.remedy == f"midwatch init '{path}' --unsafe-label NAME"
    assert foreign.known.remedy in foreign.known.problem
    foreign.known.plan = Plan(unsafe_label="z")
    foreign.refresh()
    assert "'z' is not a class" in foreign.known.problem
    assert foreign.known.remedy == "", "the command line is what has to be corrected"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["BertForQuestionAnswering"]}, "is a BertForQuestionAnswering"),
        ({"id2label": {"one": "safe", "two": "unsafe"}}, "correct its config.json"),
        ({"num_labels": 0}, "names 0 classes"),
    ],
)
def test_what_no_word_of_the_users_mends_comes_without_a_command(tmp_path: Path, config: dict, said: str) -> None:
    foreign = Foreign(tmp_path / "run")
    (tmp_path / "run" / "checkpoint-20" / "config.json").write_text(json.dumps(config))
    foreign.refresh()
    assert said in foreign.known.problem
    assert (foreign.known.remedy, "--unsafe-label NAME" in foreign.known.problem) == ("", False)


def test_a_language_model_is_not_guessed(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    with pytest.raises(NotDescribed, match="causal language model") as told:
        describe(checkpoint(tmp_path, architectures=["LlamaForCausalLM"]), run)
    assert told.value.command == f"midwatch init {tmp_path} --chat"


def test_other_probes_have_another_digest(foreign: Foreign) -> None:
    foreign.refresh()
    before = foreign.known.probe_digest
    write_probes(foreign.run.probes, probes()[1:])
    foreign.refresh()
    assert foreign.known.probe_digest not in ("", before)


def test_no_config(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="midwatch init"):
        describe(tmp_path / "checkpoint-9", Run.at(tmp_path))


def test_when_a_training_is_over() -> None:
    names = ["checkpoint-10", "checkpoint-20"]
    planned = RunRecord(steps=20)
    assert training_over(planned, names, 0.0, 1.0, 1800.0)
    assert not training_over(RunRecord(steps=30), names, 0.0, 1.0, 1800.0)
    assert training_over(RunRecord(steps=30), names, 0.0, 1800.0, 1800.0), "stopped early, and quiet since"
    assert not training_over(planned, [], 0.0, 9999.0, 1800.0), "it has not begun"
    assert not training_over(None, names, 0.0, 1.0, 1800.0)
