"""What a person sees on a terminal while checkpoints are analysed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import analyzer.commands.progress_line
from analyzer.commands.progress_line import Reporter
from analyzer.jobs.messages import Event
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.supervisor.watched_run import WatchedRun
from shared.records import CheckpointState
from shared.run import Run


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
    watched.begin("checkpoint-1")
    with Reporter(enabled) as reporter:
        reporter(watched, Event(kind="progress", analysis="tokens", done=3, total=8))
    shown = screen.getvalue()
    assert ("checkpoint-1 tokens 3/8" in shown) is enabled
    assert ("1/2" in shown) is enabled
