"""What all of these tests start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.making.fork_server import ForkServer, fork_server
from tests.making.runs import add_checkpoint, describe, judge_template
from tests.torture.stage import Scene


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_template(tmp_path_factory.mktemp("judge"))


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    folder = tmp_path_factory.mktemp("forks")
    modules = ("warm_worker", "announcing", "saving_again", "training_again")
    with fork_server(folder, *(f"tests.making.{name}" for name in modules)) as server:
        yield server


@pytest.fixture
def scene_at(tmp_path: Path, template: Path, forks: ForkServer) -> Callable[[int], Scene]:
    """Makes runs with one announced checkpoint, by numbers."""

    def make(number: int) -> Scene:
        folder = tmp_path / str(number)
        run = describe(folder / "run")
        add_checkpoint(run, 10, template, 1.0)
        return Scene(folder, run, forks)

    return make
