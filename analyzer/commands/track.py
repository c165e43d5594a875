"""What `midwatch track` does, and what `watch` starts beside itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from analyzer.commands.needed import require
from analyzer.commands.run_settings import TrackSettings
from analyzer.commands.settings import WatchSettings
from analyzer.commands.stopping import stopping
from analyzer.tracking.beside import tracking_beside
from analyzer.tracking.options import TrackOptions
from shared.errors import MidwatchError, RunError, TrackerMissing, UsageError
from shared.findings.text import counted
from shared.logs import set_up
from shared.run import Run
from shared.user_paths import expanded

if TYPE_CHECKING:
    from analyzer.tracking.tracked_run import TrackedRun


def track(settings: TrackSettings) -> None:
    """Send what is new, and end; with --follow go on until stopped. Raises MidwatchError for what was refused."""
    if not settings.to and settings.notify is None:
        raise UsageError("Say where to: --to tensorboard, wandb, trackio or mlflow, or --notify URL.")
    require("psutil")
    from analyzer.tracking.rounds import Rounds

    set_up(settings.log_format)
    if not settings.follow:  # the last words say all of it
        logging.getLogger().setLevel(logging.ERROR)
    rounds = Rounds(options_of(settings))
    stopped = threading.Event()
    try:
        with stopping(stopped.set):
            if settings.follow:
                rounds.follow(stopped)
            else:
                rounds.once()
    finally:
        rounds.close()
    _report(list(rounds.runs.values()), settings)


@contextmanager
def beside(settings: WatchSettings) -> Iterator[None]:
    """The tracking process that `watch` was asked for, if it was."""
    if not settings.track_to and settings.notify is None:
        yield
        return
    with tracking_beside(options_of(settings)):
        yield


def options_of(settings: TrackSettings | WatchSettings) -> TrackOptions:
    """What the tracking process needs to know. Raises NoSuchRun, and UsageError for an address that is none."""
    follows = isinstance(settings, TrackSettings)
    notify = settings.notify.get_secret_value() if settings.notify is not None else ""
    return TrackOptions(
        targets=[_directory(path) for path in settings.runs],
        out=expanded(settings.out).resolve() if settings.out is not None else None,
        to=settings.to if follows else settings.track_to,
        project=settings.project if follows else settings.track_project,
        notify=notify,
        notify_notes=settings.notify_notes,
        rescan_s=settings.rescan,
        log_format=settings.log_format,
    )


def _directory(path: Path) -> Path:
    Run.at(path)
    return expanded(path).resolve()


def _report(runs: list[TrackedRun], settings: TrackSettings) -> None:
    """What went where. Raises MidwatchError for what was refused, RunError where there was nothing to send."""
    if not settings.follow and not any(tracked.results for tracked in runs):
        first = settings.runs[0]
        raise RunError(f"{first} has no results yet; run `midwatch analyze {first}`, or add --follow.")
    for tracked in runs:
        for receiver in tracked.receivers:
            if tracked.results and receiver.refusal is None:
                typer.echo(f"{tracked.run.name}: {_words(receiver.name, receiver.sent_now, receiver.where)}")
    troubles = {str(each): each for tracked in runs for each in tracked.troubles}
    if troubles:
        usage = all(isinstance(each, UsageError | TrackerMissing) for each in troubles.values())
        raise (UsageError if usage else MidwatchError)(" ".join(troubles))


def _words(name: str, count: int, where: str) -> str:
    """ "numbers of 3 checkpoints to tensorboard: `tensorboard --logdir ...`" """
    if name == "--notify":
        return f"{counted(count, 'alert')} told" if count else "no alert that was not told"
    if not count:
        return f"nothing new for {name}"
    return f"numbers of {counted(count, 'checkpoint')} to {name}: {where}"
