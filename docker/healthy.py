"""Health of one container, as its exit code: `python healthy.py trainer|analyzer|dashboard RUNS`.

trainer: its process lives and a run has begun. analyzer: its process lives, its heartbeat is fresh in some run (or
another analyzer's, where that has all runs, or there is no run yet), and its worker came up. dashboard: its server
answers. Standard library only: a health check must not cost what it measures.
"""

import json
import stat
import sys
import time
import urllib.request
from pathlib import Path
from platform import node

MISSED_HEARTBEATS = 3
"""As `Status.is_gone` has it: a heartbeat older than three of its promised intervals means it is gone."""

STARTING_S = 900
"""Seconds after which a worker that is still starting counts as ill."""

MAX_BYTES = 64 * 2**20
"""Of a status."""


def trainer(runs: Path) -> bool:
    return any(runs.glob("*/run.json")) and _lives("train")


def analyzer(runs: Path) -> bool:
    if not _lives("watch"):
        return False
    if not any(runs.glob("*/run.json")):
        return True
    told = [status for path in runs.glob("*/_midwatch/status.json") if (status := _status(path)) is not None]
    ours = [status for status in told if status.get("host") == node()]
    return any(_fresh(status) and not _never_came_up(status) for status in ours or told)


def dashboard(runs: Path) -> bool:
    with urllib.request.urlopen("http://127.0.0.1:8501/_stcore/health", timeout=4) as answer:
        return answer.status == 200 and runs.is_dir()


def _status(path: Path) -> dict | None:
    """A status; None for one that cannot be read, which in a volume that anybody writes to says nothing."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fresh(status: dict) -> bool:
    try:
        return abs(time.time() - status["heartbeat_at"]) < MISSED_HEARTBEATS * status["interval_s"]
    except (KeyError, TypeError):
        return False


def _never_came_up(status: dict) -> bool:
    """Whether the worker has been starting for longer than libraries take to load."""
    try:
        return status["state"] == "starting" and time.time() - status["started_at"] > STARTING_S
    except (KeyError, TypeError):
        return False


def _lives(command: str) -> bool:
    """Whether a `midwatch COMMAND` process runs in this container."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it ended just now
            continue
        if command.encode() in words and any(word.endswith(b"/midwatch") for word in words):
            return True
    return False


if __name__ == "__main__":
    check = {"trainer": trainer, "analyzer": analyzer, "dashboard": dashboard}[sys.argv[1]]
    sys.exit(0 if check(Path(sys.argv[2])) else 1)
