"""What a person sees while `analyze`, `watch --once` or a task works: a progress line on a terminal, the log
elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from analyzer.jobs.messages import Event
from analyzer.supervisor.watched_run import WatchedRun
from shared.records import CheckpointState


def _bar(enabled: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not enabled,
        transient=True,
    )


class Reporter:
    """An observer of the supervisor that draws one bar: checkpoints done of those wanted."""

    def __init__(self, enabled: bool) -> None:
        self._progress = _bar(enabled)
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Reporter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, watched: WatchedRun, event: Event) -> None:
        wanted = [row for row in watched.rows if row.state != CheckpointState.SKIPPED]
        done = sum(row.state == CheckpointState.DONE for row in wanted)
        share = f" {event.done}/{event.total}" if event.total else ""
        what = f"{watched.running or ''} {event.analysis}{share}".strip()
        self._progress.update(self._task, description=what or watched.run.name, completed=done, total=len(wanted))


class RequestProgress:
    """What is told of a request that another process answers: a line that changes, on a terminal."""

    def __init__(self, enabled: bool) -> None:
        self._progress = _bar(enabled)
        self._task = self._progress.add_task("asked", total=None)
        self._enabled, self._told = enabled, ""

    def __enter__(self) -> RequestProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, what: str) -> bool:
        """Show it; whether it has to be said in the log, where no line is drawn and something new is told."""
        new, self._told = what != self._told, what
        self._progress.update(self._task, description=what)
        return new and not self._enabled


class TaskProgress:
    """An observer of one task's events that draws how far its present step is."""

    def __init__(self, what: str, enabled: bool) -> None:
        self._progress = _bar(enabled)
        self._task = self._progress.add_task(f"{what}: starting", total=None)
        self._what = what

    def __enter__(self) -> TaskProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        if event.kind == "progress":
            described = f"{self._what}: {event.analysis}"
            self._progress.update(
                self._task, description=described, completed=event.done, total=event.total or None
            )
