"""Answers in words that a judge no longer gives raise an alarm, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.analyses import Outcome
from analyzer.evolution.alerts import answer_alerts
from tests.making import evolving, runs
from tests.making.evolving import Evolving, make_up


@pytest.mark.parametrize(
    ("before", "now", "raised"),
    [
        (0.97, 0.12, True), (0.97, 0.49, True), (0.97, 0.55, False), (0.55, 0.45, False),
        (0.4, 0.05, False), (None, 0.1, False), (0.97, None, False), (0.1, 0.97, False),
    ],
)  # fmt: skip
def test_a_fall_below_what_scores_need(before: float | None, now: float | None, raised: bool) -> None:
    found = answer_alerts(before, now, "epoch 2", "epoch 3")
    assert bool(found) is raised
    for alert in found:
        assert alert.sentence.startswith("The probability that the safe and unsafe answers hold fell from 97 % to")
        assert "at epoch 3" in alert.brief and "since epoch 2" in alert.sentence


def test_over_a_run_it_is_raised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_up(monkeypatch)
    usual = evolving.progress

    def progress(step: int) -> Outcome:
        made = usual(step)
        return Outcome(made.result, {**made.summary, "answer_mass": 0.97 if step < 30 else 0.1}, made.tensors)

    monkeypatch.setitem(evolving.MAKERS, "progress", progress)
    run = Evolving.at(runs.describe(tmp_path / "run"), runs.judge_template(tmp_path))
    for epoch in (1, 2, 3, 4):
        run.stage.add(10 * epoch)
    run.settle()
    raised = {step: [alert.test for alert in run.result(step).alerts] for step in (10, 20, 30, 40)}
    assert raised == {10: [], 20: [], 30: ["answers"], 40: []}
    assert run.record(30).summary["alerts"] == 1
