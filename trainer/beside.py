"""The analyzer as its own process beside the training, as a user would start it; nothing of it is imported here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console

from shared.own_folders import MIDWATCH, open_log
from shared.processes import NEUTRAL, child_environment, python_command

STOP_SECONDS = 30
"""Time the analyzer gets to put its work down after SIGTERM."""


def watch_command(run: Path, interval: int, suite: str, *options: str) -> list[str]:
    """`midwatch watch RUN` in this Python; it analyses every `interval` epochs, the first and the last always."""
    words = ["watch", str(run.absolute()), "--interval", str(interval), "--suite", suite, *options]
    return python_command("midwatch", *words)


@contextmanager
def analyzer_beside(run: Path, interval: int, suite: str, cores: int, console: Console) -> Iterator[None]:
    """Run the analyzer while the block runs; its output goes to `<run>/_midwatch/analyzer.log`.

    A failing analyzer never fails the training: it is said, and `catch_up` makes up for what is missing.
    """
    log = run / MIDWATCH / "analyzer.log"
    console.print(f"The analyzer runs beside the training; its log: {log}")
    command = watch_command(run, interval, suite, "--cores", str(cores))
    with open_log(log, "ab") as output:
        process = _start(command, output)
        try:
            yield
        finally:
            ended = process.poll()
            _stop(process)
    if ended:
        console.print(f"The analyzer had ended on its own (exit code {ended}); see {log}.")


def catch_up(run: Path, interval: int, suite: str, console: Console) -> None:
    """Analyse in the foreground what is still missing, with all cores now that the training is over."""
    console.print("Training is over; the analyzer finishes what is still missing (Ctrl-C leaves it for later).")
    process = _start(watch_command(run, interval, suite, "--once"))
    try:
        code = process.wait()
    finally:
        _stop(process)
    if code:
        console.print(f"The analyzer ended with exit code {code}; run `midwatch watch {run} --once` to try again.")


def _start(command: list[str], output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in the terminal is ours to pass on, once the last checkpoint is written."""
    return subprocess.Popen(
        command,
        stdout=output,
        stderr=output,
        env=child_environment(),
        cwd=NEUTRAL,
        start_new_session=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process gently, and at last by force; one that has ended is left as it is."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
