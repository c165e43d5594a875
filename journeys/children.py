"""Components as processes of their own: started with a log file and cores, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from shared.errors import MidwatchError
from shared.own_folders import open_log
from shared.processes import NEUTRAL, child_environment, python_command

GRACE_S = 30.0
"""Seconds a process has to end after SIGTERM before it is killed: a trainer may be inside a save."""

TAIL_LINES = 15
"""Lines of a failed process' log that are shown."""


@dataclass(frozen=True)
class Child:
    """One running component."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self.process.poll()

    def check(self) -> None:
        """Raise MidwatchError with the last log lines when the process has failed."""
        if self.code not in (None, 0):
            raise MidwatchError(
                f"`midwatch {self.name}` ended with exit code {self.code}. Its last lines, from {self.log}:\n"
                + "\n".join(f"  {line}" for line in last_lines(self.log))
            )


def log_lines(log: Path) -> list[str]:
    """What a process said, line by line, without empty lines; of a line that was written over, its last state."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in lines if line.strip()]


def last_lines(log: Path) -> list[str]:
    """Where somebody looks first for what went wrong: the end of its log."""
    return log_lines(log)[-TAIL_LINES:]


def start(arguments: Sequence[str], log: Path, cores: Sequence[int] = (), place: Path = NEUTRAL) -> Child:
    """Start `midwatch ARGUMENTS...` with its output in `log`, on `cores` where the system lets us choose.

    `place` is its working directory, from which relative paths are meant.
    """
    with open_log(log, "wb") as output:
        process = subprocess.Popen(
            python_command("midwatch", *arguments),
            env=child_environment(),
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C reaches us alone, and we end the children in order
        )
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, cores)  # at once, so that threads started later inherit it
    return Child(arguments[0], process, log)


def split_cores() -> tuple[list[int], list[int]]:
    """Our cores as (trainer's, analyzer's): the last one is the analyzer's, a single one is shared."""
    if not hasattr(os, "sched_getaffinity"):
        return [], []
    available = sorted(os.sched_getaffinity(0))
    return (available[:-1], available[-1:]) if len(available) > 1 else (available, available)


def stop(children: Iterable[Child], grace_s: float = GRACE_S) -> None:
    """End every child that still runs: SIGTERM to all, then SIGKILL to whoever outlives the grace."""
    running = [child.process for child in children if child.code is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace_s
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def stopping_children() -> Iterator[list[Child]]:
    """A list of children that are stopped on the way out, also after SIGINT or SIGTERM."""
    children: list[Child] = []
    previous = signal.signal(signal.SIGTERM, _leave)
    try:
        yield children
    finally:
        stop(children)
        signal.signal(signal.SIGTERM, previous)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
