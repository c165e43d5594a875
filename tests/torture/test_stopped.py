"""An analyzer that is stopped past its lease's time to live, and goes on when another has its run.

Whoever is stopped comes back to a run that is somebody else's: he publishes nothing, deletes nothing, and waits.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from analyzer.supervisor.lease import Lease
from shared.run import Run
from tests.making.fork_server import Forked
from tests.making.waiting import wait_until
from tests.torture.stage import Scene, checkpoints_of

ROUNDS = 3
LOST = "is being analysed by another analyzer"


def results(run: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every committed result as a file of its own: one that is published again is another one."""
    found = Run.at(run).results.glob("*/*/[!.]*/*")
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def stopped_of(scene: Scene) -> psutil.Process | None:
    """The process that has stopped itself."""
    forked = psutil.Process(scene.forks.pid).children()
    return next((each for each in forked if _status(each) == psutil.STATUS_STOPPED), None)


def _status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def ended(process: Forked) -> Iterator[Forked]:
    """Killed at the end of the block."""
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def is_done(scene: Scene) -> bool:
    return bool(results(scene.run)) and (scene.run / "_midwatch" / "drawn" / "checkpoint-10.json").exists()


def stop_at(scene: Scene, number: int, who: str) -> bool:
    """Whether the process got so far; if so it was stopped there for as long as another one needed."""
    before, said = checkpoints_of(scene.run), scene.folder / "other.txt"
    with ended(scene.analyzer(who, number, "stop", "watch")) as first:
        wait_until(lambda: stopped_of(scene) or is_done(scene), "the stop")
        one = stopped_of(scene)
        if one is None:
            return False
        os.kill(first.pid, signal.SIGSTOP)
        with ended(scene.analyzer(mode="watch", said=said)) as second:
            wait_until(lambda: is_done(scene) and has_it(scene, second), "the other one to take over and be done")
            there = results(scene.run)
            for pid in {one.pid, first.pid}:
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: has_let_go(scene), "the stopped one to find its run lost")
            assert said.read_text().count(LOST) <= 1, "it waited at its start, and never again"
            assert results(scene.run) == there, scene.told()
    scene.restart()
    assert results(scene.run) == there, scene.told()
    assert checkpoints_of(scene.run) == before
    return True


def has_it(scene: Scene, who: Forked) -> bool:
    """Whose the run is."""
    holder = Lease(Run.at(scene.run).lease).read()
    return holder is not None and holder.pid == who.pid


def has_let_go(scene: Scene) -> bool:
    said = scene.said.read_text()
    return LOST in said and said.count(": start,") == said.count(", not done") + said.count(": done in")


@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_stopped_at_some_steps(scene_at: Callable[[int], Scene], who: str) -> None:
    scene = scene_at(0)
    assert scene.analyze(who) == 0
    numbers = scene.one_of_each()
    chosen = [numbers[i * len(numbers) // ROUNDS] for i in range(ROUNDS)]
    reached = [number for number in chosen if stop_at(scene_at(number), number, who)]
    assert len(reached) >= ROUNDS - 1, "what is written by the clock may come or not"


@pytest.mark.torture
@pytest.mark.timeout(0)
@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_stopped_at_a_step_of_each_kind(scene_at: Callable[[int], Scene], who: str) -> None:
    scene = scene_at(0)
    assert scene.analyze(who) == 0
    reached = [number for number in scene.one_of_each() if stop_at(scene_at(number), number, who)]
    print(f"{who}: stopped at {len(reached)} steps")
    assert len(reached) > 25
