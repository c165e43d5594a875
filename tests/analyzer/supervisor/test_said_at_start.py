"""The log says as many analyses missing as are really to be done, and no number that nobody knows."""

from __future__ import annotations

import logging
import shutil

import pytest

from shared.run import Run
from tests.making.stage import Stage


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def starts(log: pytest.LogCaptureFixture) -> list[tuple[str, int | None]]:
    """What was said of every start, and the number among its fields."""
    found = [record for record in log.records if getattr(record, "event", "") == "started"]
    return [(record.getMessage().partition(": ")[2], getattr(record, "analyses", None)) for record in found]


def test_of_a_new_checkpoint_all(stage: Stage, log: pytest.LogCaptureFixture) -> None:
    stage.add(10)
    stage.step()
    assert starts(log) == [("start, 2 analyses missing", 2)]


def test_what_cannot_be_computed_is_not_missing(stage: Stage, log: pytest.LogCaptureFixture) -> None:
    stage.engine.held = True
    stage.add(10)
    stage.step()
    [watched] = stage.supervisor.runs.values()
    watched.ledger.cannot("checkpoint-10", "layers", "It has none.")
    stage.restart().step()
    assert starts(log)[1:] == [("start, 1 analysis missing", 1)]


def test_results_of_weights_that_nobody_has_read_yet_are_no_number(
    stage: Stage, log: pytest.LogCaptureFixture
) -> None:
    stage.add(10)
    stage.steps(3)
    run = Run.at(stage.target)
    shutil.rmtree(run.digests)
    shutil.rmtree(run.results / "checkpoint-10" / "layers")
    stage.restart().steps(3)
    told = "start; how much of its results is still right is seen once its weights are read"
    assert starts(log)[1:2] == [(told, None)]


def test_with_force_all_are_to_be_done(stage: Stage, log: pytest.LogCaptureFixture) -> None:
    stage.add(10)
    stage.steps(3)
    stage.restart(force=True).steps(1)
    assert starts(log)[1:] == [("start, 2 analyses missing", 2)]
