"""What is kept of one watched run: its queue, a neighbour to compare with, and whose leftovers are removed when."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.checkpoints.digest import ContentDigest
from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.checkpoints.gate import Candidate
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.lease import TIME_TO_LIVE_S, LeaseRecord
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.watched_run import WatchedRun
from shared.files import write_record
from shared.records import CheckpointState
from shared.run import Run
from shared.turns import COMPARING

NOW = 1_000_000.0


@pytest.fixture
def watched(tmp_path: Path) -> WatchedRun:
    return WatchedRun(Run.at(tmp_path), Plan())


def row(step: int, *missing: str, cause: str = "", state: CheckpointState = CheckpointState.QUEUED) -> Row:
    name = f"checkpoint-{step}"
    candidate = Candidate(name, step, None, Path(name), (), complete_at=NOW)
    return Row(Point(name, step, None), state, candidate, missing=missing or ("tokens",), cause=cause)


def test_what_only_has_to_be_compared_again_comes_last_and_by_step(watched: WatchedRun) -> None:
    watched.rows = [row(10, COMPARING), row(20, "tokens", COMPARING), row(30, COMPARING), row(40)]
    assert [each.point.step for each in watched.queue()] == [40, 20, 10, 30]


def test_what_waits_for_something_else_is_not_in_the_queue(watched: WatchedRun) -> None:
    watched.rows = [row(10, cause="Say which class is unsafe."), row(20, state=CheckpointState.RETRYING)]
    assert watched.queue() == []
    assert watched.queue_blocked
    watched.rows = watched.rows[1:]
    assert not watched.queue_blocked


def test_the_first_other_checkpoint_is_the_neighbour_until_one_is_digested(watched: WatchedRun) -> None:
    watched.rows = [row(10), row(30), row(20)]
    assert watched.neighbour("checkpoint-30").checkpoint == "checkpoint-10"  # type: ignore[union-attr]
    assert watched.neighbour("checkpoint-10").checkpoint == "checkpoint-20"  # type: ignore[union-attr]
    known = ContentDigest(checkpoint="checkpoint-20", files=[], digest="d" * 64)
    write_record(watched.run.digests / "checkpoint-20.json", known)
    assert watched.neighbour("checkpoint-10") is None
    assert watched.neighbour("checkpoint-20") is not None, "its own digest compares it with nothing"
    watched.rows = [row(10)]
    assert watched.neighbour("checkpoint-10") is None


def test_what_another_analyzer_left_half_made_is_removed_when_we_come_back(watched: WatchedRun) -> None:
    watched.scan({}, NOW)
    lost = NOW + TIME_TO_LIVE_S
    other = LeaseRecord(owner="o", pid=1, process_started_at=0, host="elsewhere", heartbeat_at=lost)
    write_record(watched.run.lease, other)
    watched.scan({}, lost)
    assert watched.other == other
    left = watched.run.pins / ".checkpoint-9.abcdefgh"
    left.mkdir(parents=True)
    ticked = time.monotonic() + TIME_TO_LIVE_S + 1
    watched.lease.ticks = lambda: ticked
    watched.scan({}, lost + TIME_TO_LIVE_S + 1)
    assert watched.other is None
    assert not left.exists()


def test_a_training_of_which_nothing_is_complete_yet_is_not_over(watched: WatchedRun) -> None:
    (watched.run.path / "checkpoint-10").mkdir()
    watched.scan({}, NOW)
    assert not watched.training_over


def test_a_pin_of_files_that_are_no_longer_there_is_let_go(watched: WatchedRun) -> None:
    source = watched.run.path / "checkpoint-10"
    source.mkdir()
    (source / "config.json").write_text("{}")
    (source / "tokenizer.json").write_text("{}")
    found = Candidate("checkpoint-10", 10, None, source, fingerprint(source), complete_at=NOW)
    assert watched.pins.pin(found) is not None
    watched.rows = [replace(row(10), candidate=found)]
    watched.keeper.collect(watched.rows)
    assert watched.pins.get("checkpoint-10") is not None
    watched.rows = [replace(row(10), candidate=replace(found, files=()))]
    watched.keeper.collect(watched.rows)
    assert watched.pins.get("checkpoint-10") is None
