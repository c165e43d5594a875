"""The supervisor's figures: how soon a new checkpoint is worked on, and what waiting for one costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from shared.files import read_json
from tests.bench import Figure
from tests.making.runs import add_checkpoint, describe, judge_template

CHECKPOINTS = 12
IDLE_S = 30.0
POLL_S = 0.005


def measure() -> list[Figure]:
    """A real `midwatch watch` beside a run that gets a checkpoint whenever the last one is done."""
    with tempfile.TemporaryDirectory() as folder:
        run = describe(Path(folder, "run"), steps=10_000)
        template = judge_template(Path(folder))
        with watching(run) as process:
            wait_for(lambda: state(run) == "idle", "the worker to start")
            delays = [delay(run, 10 * (i + 1), template) for i in range(CHECKPOINTS)][1:]
            supervisor = psutil.Process(process.pid)
            rss = supervisor.memory_info().rss / 2**20
            idle = cpu_share(supervisor)
            torch = any("torch" in mapped.path for mapped in supervisor.memory_maps())
    middle = statistics.median(delays)
    many = f"{len(delays)} checkpoints, warm worker, {min(delays):.2f} to {max(delays):.2f} s"
    return [
        Figure("commit file to job start, median", middle, "s", "<= 0.5", middle <= 0.5, many),
        Figure("supervisor's memory after them", rss, "MiB", "<= 80", rss <= 80, "resident set"),
        Figure("torch in the supervisor", float(torch), "", "none", not torch, "its memory maps"),
        Figure("supervisor's CPU while idle", idle, "% of a core", "<= 1", idle <= 1, f"over {IDLE_S:.0f} s"),
    ]


@contextmanager
def watching(run: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`midwatch watch` as a process of its own, ended afterwards."""
    command = [sys.executable, "-m", "midwatch", "watch", str(run), "--cores", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def delay(run: Path, step: int, template: Path) -> float:
    """Seconds from the commit file of a new checkpoint until its job runs; waits until it is analysed."""
    name = f"checkpoint-{step}"
    add_checkpoint(run, step, template, step / 10)
    announced = time.time()
    wait_for(lambda: running(run) == name, f"{name} to start")
    started = time.time()
    wait_for(lambda: state(run) == "idle", f"{name} to be done")
    assert read_json(run / "_midwatch" / "status.json")["lag_checkpoints"] == 0
    return started - announced


def state(run: Path) -> str:
    return _status(run).get("state", "")


def running(run: Path) -> str:
    return (_status(run).get("running") or {}).get("checkpoint", "")


def _status(run: Path) -> dict:
    path = run / "_midwatch" / "status.json"
    return read_json(path) if path.exists() else {}


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 60.0) -> None:
    """Poll until `condition` holds. Raises TimeoutError saying what did not happen."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s:.0f} s for {what}")
        time.sleep(POLL_S)


def cpu_share(process: psutil.Process) -> float:
    """Percent of one core that a process and its worker use while nothing happens."""
    family = [process, *process.children(recursive=True)]
    before = sum(sum(member.cpu_times()[:2]) for member in family)
    time.sleep(IDLE_S)
    return 100 * (sum(sum(member.cpu_times()[:2]) for member in family) - before) / IDLE_S
