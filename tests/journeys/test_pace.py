"""The time left, worked out by hand from looks at known times."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from journeys.pace import Left, Pace, in_words
from journeys.pipeline_screen import PlainLines
from journeys.progress import Progress, Row
from journeys.screen import PlainScreen, draw
from journeys.stage import Stage, State
from journeys.stage_runner import Shown
from shared.records import CheckpointState, CheckpointStatus, RunningStatus, RunRecord, Status


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def seen(step: int, done: int, running: bool = True, checkpoints: int = 0) -> Progress:
    """A run of 40 steps in 4 epochs, so far."""
    rows = []
    for number in range(max(done, checkpoints)):
        state = CheckpointState.DONE if number < done else CheckpointState.QUEUED
        status = CheckpointStatus(checkpoint=f"checkpoint-{number}", step=number, state=state)
        rows.append(Row(status.checkpoint, f"epoch {number + 1}", {}, status))
    busy = RunningStatus(checkpoint="checkpoint-9", analysis="tokens", started_at=0.0)
    status = Status(
        state="running", heartbeat_at=0, pid=1, host="h", started_at=0, version="0",
        running=busy if running else None,
    )  # fmt: skip
    return Progress(record=RunRecord(epochs=4, steps=40), step=step, rows=rows, status=status)


def test_nothing_is_said_before_there_is_a_pace() -> None:
    pace = Pace(Clock())
    assert pace.look(Progress(), False) == Left(None, None)
    assert pace.look(seen(10, 0), False) == Left(None, None)
    assert in_words(None) == in_words(0.0) == ""


def test_each_follows_from_its_own_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.look(seen(10, 0, running=False, checkpoints=1), False)
    clock.now += 30  # 10 steps of training; the analyzer was not busy
    assert pace.look(seen(20, 0, running=False, checkpoints=2), False) == Left(60.0, None)
    clock.now += 50
    pace.look(seen(20, 0, checkpoints=2), False)
    clock.now += 10  # one checkpoint in 60 busy seconds; 20 steps in 90 s
    assert pace.look(seen(30, 1, checkpoints=3), False) == Left(45.0, 180.0)


def test_the_last_checkpoint_is_analysed_after_the_training() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.look(seen(10, 0, checkpoints=1), False)
    clock.now += 4
    assert pace.look(seen(12, 1, checkpoints=1), False).analysis == pytest.approx(56 + 4)


def test_what_was_done_before_tells_no_pace_and_an_ended_training_takes_nothing() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.look(seen(40, 2, checkpoints=3), True) == Left(0.0, None)
    clock.now += 8
    assert pace.look(seen(40, 2, checkpoints=3), True) == Left(0.0, None)
    assert pace.look(seen(40, 3), True) == Left(0.0, 0.0)


def test_the_demo_says_it_on_both_screens() -> None:
    clock = Clock()
    console = Console(width=200, record=True, force_terminal=False, file=io.StringIO())
    with PlainScreen(console, Pace(clock)) as show:
        show(seen(10, 0, checkpoints=1), False)
        clock.now += 300
        show(seen(30, 1, checkpoints=3), False)
        clock.now += 1
        show(seen(30, 1, checkpoints=3), False)
    assert console.export_text().splitlines() == ["epoch 1: analysis done, about 15 min left"]
    console.print(draw(seen(30, 1), False, Left(150.0, 900.0)))
    said = console.export_text()
    assert "preparing, about 2 min left" in said and "checkpoint-9: tokens, about 15 min left" in said


def test_the_pipeline_says_it_of_every_stage_that_begins() -> None:
    console = Console(width=200, record=True, force_terminal=False, file=io.StringIO())
    lines = PlainLines(console)
    stages = [
        Stage(name, made=lambda: False, words=list, usual_s=seconds)
        for name, seconds in (("train", 240.0), ("report", 60.0))
    ]
    rows = [Shown(stages[0], State.RUNNING, seconds=0.4), Shown(stages[1])]
    lines(rows)
    rows[0].state, rows[0].seconds, rows[1].state = State.DONE, 200.0, State.RUNNING
    lines(rows)
    rows[1].state, rows[1].seconds = State.DONE, 50.0
    lines(rows)
    assert console.export_text().splitlines() == [
        "train: running, about 5 min left in all",
        "train: done in 200 s",
        "report: running, about 60 s left in all",
        "report: done in 50 s",
    ]
