"""Processes that a pipeline left behind when it was killed outright: they are ended before anything goes on.

A process is known by its number and by its command line, so that nobody else's process of the same number is. One
whose number was not written down yet when the pipeline was killed is found by its command line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from journeys.children import GRACE_S

LOOK_S = 0.1
"""Time between two looks whether it has ended, seconds."""


def with_command(words: Sequence[str]) -> list[int]:
    """Processes that run `midwatch` with just these words first; never this one."""
    wanted = f" {' '.join(['midwatch', *words])} "
    return [pid for pid in _processes() if pid != os.getpid() and wanted in f" {_command_line(pid)} "]


def stop_leftover(pid: int, words: Sequence[str], grace_s: float = GRACE_S) -> bool:
    """End process `pid` if its command line ends in `words`; whether there was such a process.

    SIGTERM first, so that a training saves where it is, and SIGKILL after the grace.
    """
    if not _is(pid, words):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline:
            if not _is(pid, words):
                return True
            time.sleep(LOOK_S)
    return True


def _is(pid: int, words: Sequence[str]) -> bool:
    found = _command_line(pid)
    return bool(words) and all(word in found for word in words)


def _processes() -> list[int]:
    """The numbers of all processes that can be seen."""
    try:
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        pass
    try:
        asked = ["ps", "-ax", "-o", "pid="]
        return [
            int(pid) for pid in subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        ]
    except OSError:
        return []


def _command_line(pid: int) -> str:
    """Of a process that runs; empty where there is none, or where nobody can tell."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        pass
    try:
        asked = ["ps", "-ww", "-p", str(pid), "-o", "command="]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
