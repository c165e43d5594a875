"""Health of one container, as its exit code: `python healthy.py trainer|analyzer|dashboard RUNS`.

trainer: its process lives and a run has begun. analyzer: a heartbeat in some run is fresh, or there is no run yet.
dashboard: its server answers. Standard library only: a health check must not cost what it measures.
"""

import json
import sys
import time
import urllib.request
from pathlib import Path

MISSED_HEARTBEATS = 3
"""As `Status.is_gone` has it: a heartbeat older than three of its promised intervals means it is gone."""


def trainer(runs: Path) -> bool:
    return any(runs.glob("*/run.json")) and _lives("train")


def analyzer(runs: Path) -> bool:
    if not any(runs.glob("*/run.json")):
        return _lives("watch")
    return any(_fresh(path) for path in runs.glob("*/_midwatch/status.json"))


def dashboard(runs: Path) -> bool:
    with urllib.request.urlopen("http://127.0.0.1:8501/_stcore/health", timeout=4) as answer:
        return answer.status == 200 and runs.is_dir()


def _fresh(path: Path) -> bool:
    status = json.loads(path.read_bytes())
    return time.time() - status["heartbeat_at"] < MISSED_HEARTBEATS * status["interval_s"]


def _lives(command: str) -> bool:
    """Whether a `midwatch COMMAND` process runs in this container."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if command.encode() in words and any(word.endswith(b"/midwatch") for word in words):
            return True
    return False


if __name__ == "__main__":
    check = {"trainer": trainer, "analyzer": analyzer, "dashboard": dashboard}[sys.argv[1]]
    sys.exit(0 if check(Path(sys.argv[2])) else 1)
