"""Damaged, half-written and overwritten checkpoints and records: each costs itself alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analyzer.checkpoints.base_model import BasePlaces
from shared.files import write_record
from shared.records import CheckpointState, RunRecord
from tests.making.runs import make_old
from tests.making.stage import Stage
from trainer.announce import announce


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

    def validate(directory: Path, source: Path, bases: BasePlaces):
        if source.name == "checkpoint-10":
            raise ZeroDivisionError("a bug")
        return real(directory, source, bases)

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
    assert "has no trainer_state.json" in stage.cause(10)
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


def test_bad_probes_are_said_by_line(stage: Stage) -> None:
    (stage.target / "probes.jsonl").write_text('{"text": "", "label": "safe"}\n')
    stage.add(10)
    stage.steps(3)
    assert "line 1" in stage.status.message
    assert stage.engine.jobs == []


def test_a_damaged_run_json_is_said(stage: Stage) -> None:
    stage.add(10)
    (stage.target / "run.json").write_text("{")
    stage.steps(3)
    assert "run.json" in stage.status.message
    write_record(stage.target / "run.json", RunRecord())
    stage.steps(4)
    assert stage.states == {10: "done"}
