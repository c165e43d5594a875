"""Attempts on file: counted before they start, forgotten when something changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.jobs.messages import Failure
from analyzer.supervisor.attempts import MAX_KILLS, Ledger

NAME = "checkpoint-10"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "attempts")


def fail(ledger: Ledger, now: float, failure: Failure = Failure.CRASH, identity: str = "a") -> None:
    ledger.start(NAME, identity, now)
    ledger.fail(NAME, failure, f"failed at {now}", now + 1)


def test_backoff_grows_and_ends_in_quarantine(ledger: Ledger) -> None:
    waits = []
    for now in (100.0, 200.0, 300.0):
        fail(ledger, now)
        known = ledger.read(NAME, "a")
        waits.append(known.retry_at(5.0) - (now + 1))
    assert waits == [5.0, 20.0, 80.0]
    assert known.exhausted
    assert known.cause == "failed at 300.0"


def test_backoff_grows_by_failures_alone(ledger: Ledger) -> None:
    """A kill before them says little about the checkpoint."""
    ledger.start(NAME, "a", 50.0)
    fail(ledger, 100.0)
    known = ledger.read(NAME, "a")
    assert len(known.attempts) == 2
    assert known.retry_at(5.0) == 101.0 + 5.0


def test_an_attempt_counts_before_it_ends(ledger: Ledger) -> None:
    """Whoever is killed in the middle has left a trace; a restart tries again at once."""
    ledger.start(NAME, "a", 1.0)
    assert ledger.read(NAME, "a").retry_at(5.0) == 0.0
    assert "killed" in ledger.read(NAME, "a").cause


def test_interrupted_is_not_failed(ledger: Ledger) -> None:
    """A node that is taken away again and again quarantines nothing; what was killed often lets others go first."""
    waits = []
    for _ in range(MAX_KILLS + 6):
        ledger.start(NAME, "a", 100.0)
        known = ledger.read(NAME, "a")
        assert not known.exhausted
        waits.append(max(0.0, known.retry_at(5.0) - 100.0))
    assert waits == [0.0] * (MAX_KILLS - 1) + [5.0, 20.0, 80.0, 320.0, 600.0, 600.0, 600.0]
    for now in (200.0, 300.0, 400.0):
        fail(ledger, now)
    assert ledger.read(NAME, "a").exhausted


def test_a_lost_node_is_an_interruption_with_a_cause(ledger: Ledger) -> None:
    """It is given back, halves no batch, and is tried again at once, as after a kill of the analyzer itself."""
    fail(ledger, 100.0, Failure.ANALYSIS)
    for _ in range(MAX_KILLS + 1):
        ledger.start(NAME, "a", 200.0)
        ledger.lose(NAME, "The node went away.", 200.0)
    known = ledger.read(NAME, "a")
    assert (known.tries, known.kills, known.memory_failures) == (1, MAX_KILLS + 1, 0)
    assert not known.exhausted and known.cause == "The node went away."
    assert known.retry_at(5.0) == 200.0 + 20.0, "often in a row: others come first"
    fail(ledger, 300.0, Failure.ANALYSIS)
    assert ledger.read(NAME, "a").retry_at(5.0) == 301.0 + 20.0, "the second failure"


def test_a_committed_result_makes_up_for_earlier_attempts(ledger: Ledger) -> None:
    fail(ledger, 1.0)
    fail(ledger, 2.0)
    ledger.start(NAME, "a", 3.0)
    ledger.progressed(NAME)
    assert len(ledger.read(NAME, "a").attempts) == 1


def test_another_identity_starts_anew(ledger: Ledger) -> None:
    for now in (1.0, 2.0, 3.0):
        fail(ledger, now)
    assert ledger.read(NAME, "b").attempts == []
    fail(ledger, 4.0, identity="b")
    assert len(ledger.read(NAME, "b").attempts) == 1


def test_a_refund_leaves_no_trace(ledger: Ledger) -> None:
    fail(ledger, 1.0)
    before = ledger.read(NAME, "a")
    ledger.start(NAME, "a", 2.0)
    ledger.refund(NAME)
    assert ledger.read(NAME, "a") == before


def test_a_refund_on_a_full_disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    ledger.start(NAME, "a", 2.0)
    monkeypatch.setattr("analyzer.supervisor.attempts.write_record", full)
    ledger.refund(NAME)
    assert ledger.read(NAME, "a").attempts == []


def test_rejected_for_good(ledger: Ledger) -> None:
    fail(ledger, 1.0, Failure.REJECTED)
    assert ledger.read(NAME, "a").rejected == "failed at 1.0"
    assert ledger.reset(NAME)
    assert not ledger.read(NAME, "a").rejected
    assert not ledger.reset(NAME), "nothing to forget"


def test_what_cannot_be_done_outlives_success(ledger: Ledger) -> None:
    ledger.start(NAME, "a", 1.0)
    ledger.cannot(NAME, "layers", "unknown family")
    ledger.succeed(NAME)
    known = ledger.read(NAME, "a")
    assert known.cannot == {"layers": "unknown family"}
    assert known.attempts == []


def test_everything_that_cannot_be_done_is_remembered(ledger: Ledger) -> None:
    ledger.start(NAME, "a", 1.0)
    ledger.cannot(NAME, "layers", "unknown family")
    ledger.cannot(NAME, "heads", "no heads")
    assert ledger.read(NAME, "a").cannot == {"layers": "unknown family", "heads": "no heads"}


def test_other_names_in_the_folder_are_no_checkpoints(ledger: Ledger) -> None:
    ledger.start(NAME, "a", 1.0)
    (ledger.root / "checkpoint-20").mkdir()
    for stranger in ("notes.json", "checkpoint-30.txt"):
        (ledger.root / stranger).write_text("{}")
    assert ledger.checkpoints() == [NAME]


def test_success_leaves_nothing(ledger: Ledger) -> None:
    ledger.start(NAME, "a", 1.0)
    ledger.succeed(NAME)
    assert ledger.checkpoints() == []


def test_only_crashes_and_memory_make_batches_smaller(ledger: Ledger) -> None:
    fail(ledger, 1.0, Failure.CRASH)
    fail(ledger, 2.0, Failure.ANALYSIS)
    assert ledger.read(NAME, "a").memory_failures == 1
    fail(ledger, 3.0, Failure.MEMORY)
    assert ledger.read(NAME, "a").memory_failures == 2


def test_a_torn_file_is_a_fresh_start(ledger: Ledger) -> None:
    fail(ledger, 1.0)
    (ledger.root / f"{NAME}.json").write_text("{")
    assert ledger.read(NAME, "a").attempts == []
    ledger.start(NAME, "a", 2.0)
    assert len(ledger.read(NAME, "a").attempts) == 1
