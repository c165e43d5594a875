"""The health check's word on the files of a run: a fresh heartbeat is health, a stale one is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from platform import node

import pytest

from shared.files import write_record
from tests.making.fake_run import fake_status, make_fake_run

HEALTHY = Path(__file__).parents[2] / "docker" / "healthy.py"


@pytest.fixture(autouse=True)
def process() -> Iterator[subprocess.Popen[bytes]]:
    """What looks like `midwatch watch`, and waits."""
    words = ["sh", "-c", "read line", "/usr/local/bin/midwatch", "watch"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as found:
        yield found
        found.kill()


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


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"heartbeat_at": "now"}', b"\xff", b"[" * 10**5])
def test_one_bad_status_makes_no_analyzer_ill(tmp_path: Path, data: bytes) -> None:
    """A folder of runs is anybody's: what lies in one says nothing about the others."""
    run = make_fake_run(tmp_path / "demo")
    write_record(run.status, fake_status(heartbeat_at=time.time()))
    make_fake_run(tmp_path / "bad").status.write_bytes(data)
    assert check("analyzer", tmp_path) == 0
    run.status.unlink()
    assert check("analyzer", tmp_path) == 1
    os.mkfifo(run.status)
    assert check("analyzer", tmp_path) == 1


def test_an_analyzer_is_judged_by_its_own_heartbeat_where_it_has_one(tmp_path: Path) -> None:
    """Two analyzers may share a volume: that one works says nothing about the other."""
    ours = fake_status(heartbeat_at=time.time() - 3600).model_copy(update={"host": node()})
    write_record(make_fake_run(tmp_path / "ours").status, ours)
    other = fake_status(heartbeat_at=time.time()).model_copy(update={"host": "another"})
    path = make_fake_run(tmp_path / "other").status
    write_record(path, other)
    assert check("analyzer", tmp_path) == 1
    write_record(path, other.model_copy(update={"host": node()}))
    assert check("analyzer", tmp_path) == 0


@pytest.mark.parametrize(("age", "code"), [(60.0, 0), (3600.0, 1)])
def test_a_worker_that_never_comes_up_is_no_health(tmp_path: Path, age: float, code: int) -> None:
    now = time.time()
    told = {"host": node(), "state": "starting", "started_at": now - age}
    write_record(make_fake_run(tmp_path / "demo").status, fake_status(heartbeat_at=now).model_copy(update=told))
    assert check("analyzer", tmp_path) == code
