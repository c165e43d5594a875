"""Another worker replaces what a comparison reads, between the look at its key and the reading."""

from __future__ import annotations

from pathlib import Path

import pytest

import analyzer.jobs.earlier_results as earlier_results
from analyzer.jobs.messages import Failure
from shared.files import write_record
from shared.records import JudgeRecord, RunRecord
from tests.making import runs
from tests.making.evolving import Evolving, Worker, make_up


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evolving:
    make_up(monkeypatch)
    target = runs.describe(tmp_path / "run")
    write_record(target / "run.json", RunRecord(judge=JudgeRecord(max_length=32), frozen_layers=1))
    run = Evolving.at(target, runs.judge_template(tmp_path / "judge"))
    for step in (10, 20):
        run.stage.add(step)
        run.settle()
    return run


def meanwhile(run: Evolving, monkeypatch: pytest.MonkeyPatch, analysis: str, new_key: str) -> None:
    """When that result of checkpoint-20 is opened, it is another one's already, or without a new key gone."""
    real, record = earlier_results.require_regular, run.record(20, analysis)
    tensors, done = run.store.tensors(record), []

    def require_regular(path: Path) -> None:
        if record.key in path.parts and not done:
            done.append(path)
            if new_key:
                run.store.commit(record.model_copy(update={"key": new_key}), tensors)
            run.store.remove("checkpoint-20", analysis, record.key)
        real(path)

    monkeypatch.setattr(earlier_results, "require_regular", require_regular)


def failures(run: Evolving) -> list[Failure | None]:
    worker = run.stage.engine.behaviour
    assert isinstance(worker, Worker)
    return [event.failure for event in worker.events if event.kind == "failed"]


def test_a_comparison_that_was_replaced_is_read_under_its_new_key(
    run: Evolving, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(run, monkeypatch, "evolution", "f" * 20)
    run.stage.add(30)
    run.settle()
    result = run.result(30)
    assert run.previous(30) == 20 and result.cka_to_previous is not None
    assert not [note for note in result.notes if "cannot be read" in note] and not failures(run)


def test_what_is_gone_is_no_damage_and_the_comparison_is_made_again(
    run: Evolving, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(run, monkeypatch, "progress", "")
    run.stage.add(30)
    run.settle()
    assert Failure.CHANGED in failures(run)
    assert run.stage.states[30] == "done"
    assert not [note for note in run.result(30).notes if "cannot be read" in note]
