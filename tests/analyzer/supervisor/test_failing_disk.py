"""A disk that refuses one call, whichever: the supervisor lives on, nothing is lost, and nothing is done twice."""

from __future__ import annotations

import errno
import itertools
from pathlib import Path

import pytest

from analyzer.jobs.messages import Event
from analyzer.supervisor.plan import Plan
from shared.run import Run
from tests.making.failing_disk import FailingDisk, failing_disk
from tests.making.fake_engine import FakeEngine
from tests.making.runs import add_checkpoint, describe
from tests.making.stage import Stage

ERRORS = (errno.EROFS, errno.ENOSPC, errno.EIO, errno.EACCES, errno.ESTALE)
STRIDE = 157
"""Every so many calls one is refused in the short form, others with each error."""


class ElsewhereEngine(FakeEngine):
    """Computes on a disk of its own: what it is refused is the worker's to tell, and has tests of its own."""

    disk: FailingDisk | None = None

    def poll(self, now: float) -> list[Event]:
        if self.disk is None:
            return super().poll(now)
        self.disk.resting = True
        try:
            return super().poll(now)
        finally:
            self.disk.resting = False


def watch(folder: Path, template: Path, refused: int, error: int) -> tuple[FailingDisk, Stage]:
    """Watch a folder while one call is refused, and then until all is done."""
    stage = Stage(folder, template, Plan(), ElsewhereEngine())
    with failing_disk(folder, refused, error) as disk:
        stage.engine.disk = disk  # type: ignore[attr-defined]
        stage.steps(6, 10)
    stage.engine.disk = None  # type: ignore[attr-defined]
    stage.steps(6, 400)
    stage.supervisor.close()
    return disk, stage


def run_through(tmp_path: Path, template: Path, error: int, first: int, stride: int) -> int:
    """Refuse call `first`, `first` + `stride`, ... until there is none left; how many there were."""
    for number in itertools.count(first, stride):
        folder = tmp_path / f"{error}-{number}"
        run = describe(folder / "run")
        add_checkpoint(run, 10, template, 1.0)
        disk, stage = watch(folder, template, number, error)
        results = sorted(path.parent.parent.name for path in Run.at(run).results.glob("*/*/*/result.json"))
        assert results == ["layers", "tokens"], f"after {disk.hit}"
        assert len(stage.engine.jobs) <= 2, f"after {disk.hit}"
        litter = [path.name for path in (run / "_midwatch").rglob(".*") if "pins" in path.parts]
        assert litter == [], f"after {disk.hit}"
        if not disk.hit:
            return number
    raise AssertionError


@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[each] for each in ERRORS])
def test_any_call_may_be_refused(tmp_path: Path, template: Path, error: int) -> None:
    first = 1 + ERRORS.index(error) * STRIDE // len(ERRORS)
    assert run_through(tmp_path, template, error, first, STRIDE) > 200


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS, ids=[errno.errorcode[each] for each in ERRORS])
def test_every_single_call_may_be_refused(tmp_path: Path, template: Path, error: int) -> None:
    assert run_through(tmp_path, template, error, 1, 1) > 200
