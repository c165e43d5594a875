"""Starting Midwatch as users do, and reading what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.making.waiting import LIMIT_S

ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


@contextmanager
def started(*words: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m WORDS...` in its own session, killed at the end if it still runs."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def midwatch(*words: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "midwatch", *words], capture_output=True, text=True, env=ENVIRONMENT, timeout=LIMIT_S
    )


def status_of(run: Path) -> dict[str, Any]:
    """status.json, or nothing yet."""
    try:
        return json.loads((run / "_midwatch" / "status.json").read_bytes())
    except FileNotFoundError:
        return {}


def results_of(run: Path) -> list[Path]:
    """Every committed result; one that is still being written lies in a hidden folder."""
    found = run.glob("_midwatch/results/*/*/*/result.json")
    return [path for path in found if not path.parent.name.startswith(".")]


def worker_of(supervisor: int) -> int | None:
    """Process id of a supervisor's worker."""
    children = psutil.Process(supervisor).children()
    return children[0].pid if children else None


def is_alive(pid: int) -> bool:
    """Whether a process still computes; one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
