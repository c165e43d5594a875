"""SIGKILL at every step that changes a file: of the supervisor, of its worker, and of a training that announces.

The next analyzer finds at once what there is to do; there is one committed result, and nothing of the killed lies
about.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable

import pytest

from tests.torture.stage import Scene, checkpoints_of, litter

LIMIT = 400
"""More steps than anybody takes: reached only by a test that does not end."""


def kill_at(scene: Scene, number: int, who: str) -> bool:
    """Whether the process got so far; if so it was killed there, and all holds again afterwards."""
    before = checkpoints_of(scene.run)
    code = scene.analyze(who, number)
    reached = len(scene.taken()) >= number
    assert code == (-signal.SIGKILL if who == "supervisor" and reached else 0), scene.told()
    scene.restart()
    assert checkpoints_of(scene.run) == before
    return reached


@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_killed_at_a_step_of_each_kind(scene_at: Callable[[int], Scene], who: str) -> None:
    scene = scene_at(0)
    assert scene.analyze(who) == 0
    scene.check()
    numbers = scene.one_of_each()
    assert len(numbers) > 25, scene.taken()
    reached = [number for number in numbers if kill_at(scene_at(number), number, who)]
    assert len(reached) > len(numbers) - 5, "what is written by the clock may come or not"


@pytest.mark.torture
@pytest.mark.parametrize("who", ["supervisor", "worker"])
def test_killed_at_every_single_step(scene_at: Callable[[int], Scene], who: str) -> None:
    for number in range(1, LIMIT):
        scene = scene_at(number)
        if not kill_at(scene, number, who):
            break
        shutil.rmtree(scene.folder)
    print(f"{who}: killed at {number - 1} steps")
    assert 30 < number < LIMIT


def test_a_training_killed_at_every_step_of_an_announcement(scene_at: Callable[[int], Scene]) -> None:
    for number in range(1, LIMIT):
        scene = scene_at(number)
        shutil.rmtree(scene.run / "_midwatch")
        before = checkpoints_of(scene.run)
        if scene.announce(10, number) == 0:
            break
        scene.run.joinpath("checkpoint-10").rename(scene.run / "checkpoint-20")  # what it saves next
        assert scene.announce(20, 0) == 0
        scene.run.joinpath("checkpoint-20").rename(scene.run / "checkpoint-10")
        assert litter(scene.run) == [], scene.told()
        scene.restart()
        assert checkpoints_of(scene.run) == before
    assert number == 6, "two folders, of which the inner one is tried first, a file and its rename"
