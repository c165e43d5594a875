"""The supervisor's figures: how soon a new checkpoint is worked on, and what waiting for one costs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from shared.files import read_json
from tests.bench import Figure, Size, median_figure
from tests.making.runs import add_checkpoint, describe, judge_template

CHECKPOINTS = {Size.FULL: 12, Size.TINY: 2}
IDLE_S = {Size.FULL: 30.0, Size.TINY: 0.5}
POLL_S = 0.005


def measure(size: Size = Size.FULL) -> list[Figure]:
    """A real `midwatch watch` beside a run that gets a checkpoint whenever the last one is done."""
    with tempfile.TemporaryDirectory() as folder:
        run = describe(Path(folder, "run"), steps=10_000)
        template = judge_template(Path(folder))
        with watching(run) as process:
            wait_for(lambda: state(run) == "idle", "the worker to start")
            delays = [delay(run, 10 * (i + 1), template) for i in range(CHECKPOINTS[size])][1:]
            supervisor = psutil.Process(process.pid)
            rss = supervisor.memory_info().rss / 2**20
            idle = cpu_share(supervisor, IDLE_S[size])
            torch = any("torch" in mapped.path for mapped in supervisor.memory_maps())
    start, over = "commit file to job start, median", f"over {IDLE_S[size]:g} s"
    return [
        median_figure(start, delays, "s", bar="<= 0.5", note="checkpoints, warm worker"),
        Figure(name="supervisor's memory after them", value=rss, unit="MiB", bar="<= 80", note="resident set"),
        Figure(name="torch in the supervisor", value=float(torch), bar="== 0", note="its memory maps"),
        Figure(name="supervisor's CPU while idle", value=idle, unit="% of a core", bar="<= 1", note=over),
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


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 120.0) -> None:
    """Poll until `condition` holds. Raises TimeoutError saying what did not happen."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s:.0f} s for {what}")
        time.sleep(POLL_S)


def cpu_share(process: psutil.Process, seconds: float) -> float:
    """Percent of one core that a process and its worker use while nothing happens."""
    family = [process, *process.children(recursive=True)]
    before = sum(sum(member.cpu_times()[:2]) for member in family)
    time.sleep(seconds)
    return 100 * (sum(sum(member.cpu_times()[:2]) for member in family) - before) / seconds
