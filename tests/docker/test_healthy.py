"""The health check's word on the files of a run: a fresh heartbeat is health, a stale one is not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.files import write_record
from tests.making.fake_run import fake_status, make_fake_run

HEALTHY = Path(__file__).parents[2] / "docker" / "healthy.py"


def check(service: str, runs: Path) -> int:
    return subprocess.run([sys.executable, str(HEALTHY), service, str(runs)], capture_output=True).returncode


@pytest.mark.parametrize(("age", "code"), [(0.0, 0), (3600.0, 1)])
def test_analyzer_by_its_heartbeat(tmp_path: Path, age: float, code: int) -> None:
    run = make_fake_run(tmp_path / "demo")
    write_record(run.status, fake_status(heartbeat_at=time.time() - age))
    assert check("analyzer", tmp_path) == code


def test_analyzer_that_never_looked_at_a_run_is_not_healthy(tmp_path: Path) -> None:
    make_fake_run(tmp_path / "demo").status.unlink()
    assert check("analyzer", tmp_path) == 1


def test_trainer_needs_a_run(tmp_path: Path) -> None:
    assert check("trainer", tmp_path) == 1
