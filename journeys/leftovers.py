"""Processes that a pipeline left behind when it was killed outright: they are ended before anything goes on.

A process is known by its number and by its command line, so that nobody else's process of the same number is.
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
