"""`midwatch status` of a run with many checkpoints: what needs a word, and a count of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.files import write_record
from shared.records import CheckpointState, CheckpointStatus
from tests.making.commands_here import midwatch
from tests.making.fake_run import BASIC, fake_status, make_fake_run


def rows(count: int, **states: CheckpointState) -> list[CheckpointStatus]:
    """Checkpoints by epoch, done but for those of `states` ("at_3")."""
    found = []
    for epoch in range(1, count + 1):
        state = states.get(f"at_{epoch}", CheckpointState.DONE)
        done = BASIC if state == CheckpointState.DONE else BASIC[:2] if state == CheckpointState.QUARANTINED else []
        row = CheckpointStatus(checkpoint=f"checkpoint-{epoch}", step=epoch, epoch=float(epoch), state=state)
        missing = [name for name in BASIC if name not in done]
        cause = "tokens: broke" if state == CheckpointState.QUARANTINED else None
        found.append(row.model_copy(update={"done": done, "missing": missing, "cause": cause, "attempts": 3}))
    return found


def shown(tmp_path: Path, found: list[CheckpointStatus], *words: str) -> str:
    run = make_fake_run(tmp_path / "run", epochs=1)
    write_record(run.status, fake_status(1).model_copy(update={"checkpoints": found}))
    done = midwatch("status", run.path, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_five_hundred_fit_a_screen(tmp_path: Path) -> None:
    states = {
        "at_7": CheckpointState.QUARANTINED,
        "at_499": CheckpointState.RUNNING,
        "at_500": CheckpointState.QUEUED,
    }
    text = shown(tmp_path, rows(500, **states))
    assert len(text.splitlines()) < 20
    assert "6/6" in text and "2/6" in text
    assert f"tokens: broke Missing: {', '.join(BASIC[2:])}." in text
    for checkpoint in ("checkpoint-7 ", "checkpoint-496 ", "checkpoint-500 "):
        assert checkpoint in text
    assert "checkpoint-495 " not in text and "494 more: 494 done; --all lists them." in text


def test_all_of_them_on_wish_and_all_of_a_few(tmp_path: Path) -> None:
    text = shown(tmp_path, rows(60), "--all")
    assert all(f"checkpoint-{epoch} " in text for epoch in range(1, 61)) and "more:" not in text


@pytest.mark.parametrize("count", [1, 20])
def test_a_few_are_all_listed(tmp_path: Path, count: int) -> None:
    text = shown(tmp_path, rows(count))
    assert text.count("6/6") == count and "more:" not in text


def test_a_backlog_is_counted_by_state(tmp_path: Path) -> None:
    states = {f"at_{epoch}": CheckpointState.QUEUED for epoch in range(100, 501)}
    text = shown(tmp_path, rows(500, **states))
    assert "495 more: 396 queued, 99 done; --all lists them." in text
