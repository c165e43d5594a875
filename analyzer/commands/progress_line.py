"""What a person sees while `analyze`, `watch --once` or a task works: a progress line on a terminal, the log
elsewhere.

The line is drawn on stderr and nowhere else; what is logged meanwhile stands above it (shared.logs writes to
whatever stderr is, and so through the line's own console).
"""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from analyzer.jobs.messages import Event
from analyzer.supervisor.watched_run import WatchedRun
from shared.findings.text import duration
from shared.logs import as_json
from shared.records import CheckpointState

REMEMBERED_S = 24 * 3600.0
"""The time left follows from the pace over the last so many seconds: a checkpoint may take an hour."""


def on_terminal() -> bool:
    """Whether somebody looks who wants a line that changes."""
    return sys.stderr.isatty() and not as_json()


class TimeLeft(ProgressColumn):
    """ "about 3 min left", from the pace so far; nothing before there is any."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        return Text("" if not left or task.finished else f"about {duration(left)} left", style="progress.remaining")


def _bar(enabled: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeLeft(),
        console=Console(stderr=True),
        disable=not enabled,
        transient=True,
        redirect_stdout=False,
        speed_estimate_period=REMEMBERED_S,
    )


class _Line:
    """One bar, drawn while the block lasts."""

    def __init__(self, description: str, enabled: bool) -> None:
        self._progress = _bar(enabled)
        self._task = self._progress.add_task(description, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class Reporter(_Line):
    """An observer of the supervisor that draws checkpoints done of those wanted."""

    def __init__(self, enabled: bool) -> None:
        super().__init__("starting", enabled)
        self._committed: Counter[str] = Counter()
        """Results that a running job committed, by its id."""

    def __call__(self, watched: WatchedRun, event: Event) -> None:
        if self._progress.disable:  # a service of weeks without a terminal counts nothing
            return
        before = 0 if event.kind == "started" else self._committed[event.job]
        self._committed[event.job] = before + (event.kind == "committed")
        wanted = [row for row in watched.rows if row.state != CheckpointState.SKIPPED]
        done = sum(row.state == CheckpointState.DONE for row in wanted)
        share = f" {event.done}/{event.total}" if event.total else ""
        what = f"{watched.running.get(event.job, '')} {event.analysis}{share}".strip()
        part = sum(_part(watched, name, self._committed[job]) for job, name in watched.running.items())
        self._progress.update(
            self._task, description=what or watched.run.name, completed=done + part, total=len(wanted)
        )
        if event.kind == "finished":
            del self._committed[event.job]


def _part(watched: WatchedRun, name: str, committed: int) -> float:
    """How much of a running checkpoint is done, below 1; the last scan may know more than its job committed."""
    row = next((row for row in watched.rows if row.point.name == name), None)
    if row is None or row.state == CheckpointState.DONE:
        return 0.0
    wanted = len(row.done) + len(row.missing)
    return max(len(row.done), committed) / (wanted + 1)


class RequestProgress(_Line):
    """What is told of a request that another process answers: a line that changes, on a terminal."""

    def __init__(self, enabled: bool) -> None:
        super().__init__("asked", enabled)
        self._enabled, self._told = enabled, ""

    def tell(self, what: str) -> bool:
        """Show it; whether it has to be said in the log, where no line is drawn and something new is told."""
        new, self._told = what != self._told, what
        self._progress.update(self._task, description=what)
        return new and not self._enabled


class TaskProgress(_Line):
    """An observer of one task's events that draws how far its present step is."""

    def __init__(self, what: str, enabled: bool) -> None:
        super().__init__(f"{what}: starting", enabled)
        self._what = what
        self._step = ""

    def __call__(self, event: Event) -> None:
        if event.kind != "progress":
            return
        if event.analysis != self._step:
            self._step = event.analysis
            self._progress.reset(self._task, total=None)
        self._progress.update(
            self._task,
            description=f"{self._what}: {event.analysis}",
            completed=event.done,
            total=event.total or None,
        )
