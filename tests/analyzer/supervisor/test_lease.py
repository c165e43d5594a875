"""One analyzer a run, and how its claim ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from platform import node

import psutil
import pytest

from analyzer.supervisor.lease import HEARTBEAT_S, TIME_TO_LIVE_S, Lease, LeaseRecord
from shared.files import read_record, write_record

NOW = 1_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "_midwatch" / "lease.json"


def test_the_first_one_has_it(path: Path) -> None:
    first, second = Lease(path), Lease(path)
    assert first.hold(NOW) is None
    other = second.hold(NOW)
    assert other is not None
    assert (other.owner, other.pid, other.host) == (first.owner, os.getpid(), node())


def test_a_heartbeat_keeps_it(path: Path) -> None:
    first, second = Lease(path), Lease(path)
    for step in range(20):
        assert first.hold(NOW + step * HEARTBEAT_S) is None
        assert second.hold(NOW + step * HEARTBEAT_S) is not None


def test_silence_loses_it(path: Path) -> None:
    first, second = Lease(path), Lease(path)
    first.hold(NOW)
    assert second.hold(NOW + TIME_TO_LIVE_S) is not None
    assert second.hold(NOW + TIME_TO_LIVE_S + 1) is None
    assert first.hold(NOW + TIME_TO_LIVE_S + 2) is not None, "whoever wakes up late must not go on"


def test_release_hands_it_on(path: Path) -> None:
    first, second = Lease(path), Lease(path)
    first.hold(NOW)
    second.release()
    assert second.hold(NOW) is not None, "nobody releases another's lease"
    first.release()
    assert not path.exists()
    assert second.hold(NOW) is None


def record(**changes: object) -> LeaseRecord:
    mine = {
        "owner": "somebody",
        "pid": os.getpid(),
        "process_started_at": psutil.Process().create_time(),
        "host": node(),
        "heartbeat_at": NOW,
    }
    return LeaseRecord.model_validate(mine | changes)


def test_a_dead_process_of_this_machine_loses_it_at_once(path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    write_record(path, record(pid=dead.pid))
    assert Lease(path).hold(NOW + 1) is None


def test_a_process_id_that_was_given_anew(path: Path) -> None:
    """In a container every analyzer is process 1: the start time tells one life from the next."""
    write_record(path, record(process_started_at=psutil.Process().create_time() - 500))
    assert Lease(path).hold(NOW + 1) is None


def test_another_machine_is_given_its_time(path: Path) -> None:
    write_record(path, record(host="elsewhere", pid=1))
    assert Lease(path).hold(NOW + TIME_TO_LIVE_S) is not None
    assert Lease(path).hold(NOW + TIME_TO_LIVE_S + 1) is None


def test_a_heartbeat_far_in_the_future_does_not_last_forever(path: Path) -> None:
    write_record(path, record(host="elsewhere", heartbeat_at=NOW + 10_000))
    assert Lease(path).hold(NOW) is None


def test_a_torn_file_is_nobodys(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    lease = Lease(path)
    assert lease.hold(NOW) is None
    assert read_record(path, LeaseRecord).owner == lease.owner


def test_a_lease_that_somebody_deleted_is_taken_again(path: Path) -> None:
    lease = Lease(path)
    lease.hold(NOW)
    path.unlink()
    assert lease.hold(NOW + HEARTBEAT_S) is None
    assert path.exists()
    assert sorted(p.name for p in path.parent.iterdir()) == ["lease.json"], "nothing is left beside it"
