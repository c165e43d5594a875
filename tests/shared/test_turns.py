"""Whose turn is next, and that the supervisor and the dashboard agree about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.watched_run import WatchedRun
from dashboard.reading.condition import queue
from shared.records import CheckpointState
from shared.run import Run
from shared.turns import COMPARING
from tests.making.fake_run import fake_status

MISSING = {10: (COMPARING,), 20: ("tokens", COMPARING), 30: (COMPARING,), 40: ("tokens",), 50: ()}


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        ("newest", [50, 40, 20, 10, 30]),
        ("all", [20, 40, 50, 10, 30]),
        ("every:2", [20, 40, 50, 10, 30]),
    ],
)
def test_what_is_shown_is_what_will_run(tmp_path: Path, policy: str, steps: list[int]) -> None:
    watched = WatchedRun(Run.at(tmp_path), Plan(policy=policy))
    watched.rows = [
        Row(Point(f"checkpoint-{step}", step, None), CheckpointState.QUEUED, missing=missing)
        for step, missing in MISSING.items()
    ]
    rows = [row.status() for row in watched.rows]
    status = fake_status().model_copy(update={"checkpoints": rows, "policy": policy})
    assert [row.point.step for row in watched.queue()] == steps
    assert [row.step for row in queue(status)] == steps
