"""What a person sees on a terminal while checkpoints are analysed."""

from __future__ import annotations

import io
import logging
import re
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

import analyzer.commands.progress_line
from analyzer.commands.progress_line import REMEMBERED_S, Reporter, TimeLeft
from analyzer.jobs.messages import Event
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.watched_run import WatchedRun
from shared.logs import set_up
from shared.records import CheckpointState
from shared.run import Run
from tests.making.quiet_logging import logging_restored


@pytest.mark.parametrize("enabled", [True, False])
def test_the_bar_counts_wanted_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        analyzer.commands.progress_line,
        "Console",
        lambda stderr: Console(file=screen, force_terminal=True, width=120),
    )
    watched = WatchedRun(Run.at(tmp_path), Plan())
    states = [CheckpointState.DONE, CheckpointState.QUEUED, CheckpointState.SKIPPED]
    watched.rows = [Row(Point(f"checkpoint-{i}", i, None), state) for i, state in enumerate(states)]
    watched.begin("job", "checkpoint-1")
    with Reporter(enabled) as reporter:
        reporter(watched, Event(kind="progress", job="job", analysis="tokens", done=3, total=8))
    shown = screen.getvalue()
    assert ("checkpoint-1 tokens 3/8" in shown) is enabled
    assert ("1/2" in shown) is enabled


def test_a_log_line_never_shares_a_line_with_the_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = partial(Console, file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(analyzer.commands.progress_line, "Console", lambda stderr: console())
    watched = WatchedRun(Run.at(tmp_path), Plan())
    watched.rows = [Row(Point("checkpoint-1", 1, None), CheckpointState.QUEUED)]
    watched.begin("job", "checkpoint-1")
    with logging_restored():
        set_up("text")
        with Reporter(enabled=True) as reporter:
            reporter(watched, Event(kind="progress", job="job", analysis="tokens"))
            reporter._progress.refresh()
            logging.getLogger("midwatch").warning("a sentence of the log")
            reporter._progress.refresh()
    [line] = [line for line in screen.getvalue().split("\n") if "a sentence of the log" in line]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d a sentence of the log", re.split(r"\x1b\[2K|\x1b\[1A|\r", line)[-1].rstrip()
    )


def test_the_time_left_follows_from_the_pace() -> None:
    clock = iter(range(0, 10_000, 100))
    progress = Progress(
        TimeLeft(),
        console=Console(file=io.StringIO()),
        get_time=lambda: float(next(clock)),
        speed_estimate_period=REMEMBERED_S,
    )
    task = progress.add_task("x", total=10)
    assert str(TimeLeft().render(progress.tasks[0])) == ""
    for done in (1, 2, 3):
        progress.update(task, completed=done)
    assert re.fullmatch(r"about (\d+ min|\d+ s) left", str(TimeLeft().render(progress.tasks[0])))
    progress.update(task, completed=10)
    assert str(TimeLeft().render(progress.tasks[0])) == ""


def test_half_of_a_checkpoint_counts_as_half(tmp_path: Path) -> None:
    watched = WatchedRun(Run.at(tmp_path), Plan())
    names = ("a", "b", "c", "d")
    watched.rows = [Row(Point("checkpoint-1", 1, None), CheckpointState.QUEUED, missing=names)]
    watched.begin("job", "checkpoint-1")
    reporter = Reporter(enabled=True)
    told = []
    for kind in ("started", "committed", "committed", "finished", "started"):
        reporter(watched, Event(kind=kind, job="job", analysis="a"))  # type: ignore[arg-type]
        told.append(reporter._progress.tasks[0].completed)
    assert told == [0.0, 0.2, 0.4, 0.4, 0.0]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_job_that_is_over_is_forgotten(tmp_path: Path, enabled: bool) -> None:
    watched, reporter = WatchedRun(Run.at(tmp_path), Plan()), Reporter(enabled)
    for kind in ("started", "committed", "finished"):
        reporter(watched, Event(kind=kind, job="job", analysis="a"))  # type: ignore[arg-type]
    assert not reporter._committed


def test_without_a_terminal_no_event_looks_at_the_checkpoints(tmp_path: Path) -> None:
    watched = WatchedRun(Run.at(tmp_path), Plan())
    watched.rows = None  # type: ignore[assignment]
    Reporter(enabled=False)(watched, Event(kind="progress", job="job", analysis="a"))
