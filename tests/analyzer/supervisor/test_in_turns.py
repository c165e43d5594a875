"""A run of more checkpoints than one look looks at: each has its turn, and the rest is believed until then."""

from __future__ import annotations

import shutil

import pytest

from shared.run import Run
from tests.making.stage import Stage


def test_of_a_long_run_what_is_removed_is_missed_when_its_turn_comes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.checkpoints.gate.AT_ONCE", 2)
    for step in range(10, 70, 10):
        stage.add(step)
    stage.steps(12)
    assert set(stage.states.values()) == {"done"} and len(stage.engine.jobs) == 6
    run = Run.at(stage.target)
    for lost in (run.results / "checkpoint-10" / "tokens", run.results / "checkpoint-40" / "layers"):
        shutil.rmtree(lost)
    (run.drawn / "checkpoint-60.json").unlink()
    stage.steps(3 + 4)  # all had their turn after three looks
    assert sorted(stage.engine.names[6:]) == ["checkpoint-10", "checkpoint-40", "checkpoint-60"]
    assert set(stage.states.values()) == {"done"} and len(stage.results()) == 12


def test_of_a_long_run_what_is_not_due_is_believed_without_a_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.checkpoints.gate.AT_ONCE", 1)
    stage.add(10)
    stage.add(20)
    stage.steps(6)
    (watched,) = stage.supervisor.runs.values()
    looked: list[str] = []
    real = watched.index.has
    monkeypatch.setattr(watched.index, "has", lambda *place: looked.append(place[0]) or real(*place))
    before = {row.point.name: row for row in watched.rows}
    stage.step()
    stage.step()
    assert sorted(looked) == ["checkpoint-10"] * 2 + ["checkpoint-20"] * 2, "each in one of two looks"
    assert all(row is before[row.point.name] for row in watched.rows)
