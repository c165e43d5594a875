"""SIGKILL at any moment: of an analyzer while a training saves, and of a real Trainer while an analyzer watches.

What is there in the end is one committed result for each checkpoint and analysis, of weights that were whole.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.making.fork_server import Forked
from tests.making.runs import add_checkpoint
from tests.torture.stage import Scene, checkpoints_of

STEP = 10


def is_over(process: Forked) -> bool:
    """Whether it has ended, killed or by itself."""
    try:
        return psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def strike(process: Forked, after_s: float) -> bool:
    """Kill a process so many seconds from now; whether it was still at work."""
    time.sleep(after_s)
    if not is_over(process):
        os.kill(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def time_of(process: Forked) -> float:
    """How long it takes to its end, seconds."""
    began = time.monotonic()
    assert process.wait() == 0
    return time.monotonic() - began


def kill_analyzers(scene: Scene, template: Path, kills: int) -> None:
    """Kill so many, each at work: where one has done all there was, there is more for the next one."""
    chance, struck, step, idle = random.Random(0), 0, STEP, True
    whole_s = time_of(scene.analyzer())
    while struck < kills:
        if idle:
            add_checkpoint(scene.run, step := step + STEP, template, step / 10)
        idle = not strike(scene.analyzer(), chance.uniform(0.0, 0.8 * whole_s))
        struck += not idle
    ends_well(scene)


def ends_well(scene: Scene) -> None:
    """Another analyzer, to whom nothing happens, leaves all done, and the training's files as they are."""
    before = checkpoints_of(scene.run)
    assert scene.analyze() == 0, scene.told()
    scene.check()
    assert checkpoints_of(scene.run) == before


def test_an_analyzer_killed_at_any_moment(scene_at: Callable[[int], Scene], template: Path) -> None:
    kill_analyzers(scene_at(0), template, 25)


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_analyzers_killed_a_thousand_times(scene_at: Callable[[int], Scene], template: Path) -> None:
    for number in range(40):
        kill_analyzers(scene_at(number), template, 25)


def kill_trainings(scene: Scene, kills: int) -> None:
    """Kill so many trainings of one run, each begun anew, while an analyzer watches."""
    training = "tests.making.training_again", str(scene.run)
    chance, struck = random.Random(0), 0

    def train() -> Forked:
        return scene.forks.start(str(scene.run), "", "0", "kill", *training, output=scene.folder / "training.txt")

    whole_s = time_of(train())
    watching = scene.analyzer(mode="watch")
    while struck < kills:
        struck += strike(train(), chance.uniform(0.0, whole_s))
    assert train().wait() == 0
    os.kill(watching.pid, signal.SIGKILL)
    watching.wait()
    ends_well(scene)


def test_a_real_training_killed_at_any_moment(scene_at: Callable[[int], Scene]) -> None:
    kill_trainings(scene_at(0), 10)


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_real_trainings_killed_hundreds_of_times(scene_at: Callable[[int], Scene]) -> None:
    for number in range(10):
        kill_trainings(scene_at(number), 30)
