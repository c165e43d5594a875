"""One analyzer a run, and how its claim ends."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from platform import node

import psutil
import pytest

from analyzer.supervisor.lease import HEARTBEAT_S, LENGTH, TIME_TO_LIVE_S, Lease, LeaseRecord
from analyzer.supervisor.process_identity import here, started_tick
from shared.files import read_record, write_record
from tests.making.claims import claim_all

NOW = 1_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "_midwatch" / "lease.json"


@dataclass
class Ticks:
    """A clock that nobody sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


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
    ticks = Ticks()
    first, second = Lease(path), Lease(path, ticks=ticks)
    first.hold(NOW)
    assert second.hold(NOW) is not None
    ticks.now += TIME_TO_LIVE_S
    assert second.hold(NOW + TIME_TO_LIVE_S) is not None
    ticks.now += 1
    assert second.hold(NOW + TIME_TO_LIVE_S + 1) is None
    assert first.hold(NOW + TIME_TO_LIVE_S + 2) is not None, "whoever wakes up late must not go on"


@pytest.mark.parametrize("where", [{}, {"host": "elsewhere"}])
@pytest.mark.parametrize("by", [-3600.0, 3600.0])
def test_a_clock_that_is_set_takes_it_from_nobody(path: Path, where: dict[str, str], by: float) -> None:
    """Set by an hour, awake after an hour, or an hour apart from the owner's: seconds that pass are what counts."""
    ticks = Ticks()
    waiting = Lease(path, ticks=ticks)
    for beat in range(20):
        write_record(path, record(heartbeat_at=NOW + beat * HEARTBEAT_S, **where))
        assert waiting.hold(NOW + by + ticks.now) is not None
        ticks.now += HEARTBEAT_S


def test_a_clock_that_is_set_back_renews_it_at_once(path: Path) -> None:
    """Others judge a heartbeat by their own clock, and one far in the future as little as one long ago."""
    lease = Lease(path)
    lease.hold(NOW)
    assert lease.hold(NOW - 1) is None
    assert read_record(path, LeaseRecord).heartbeat_at == NOW - 1


def test_who_has_lost_it_does_not_have_it_again_when_the_clock_is_set_back(path: Path) -> None:
    ticks = Ticks()
    first, second = Lease(path), Lease(path, ticks=ticks)
    first.hold(NOW)
    late = NOW + TIME_TO_LIVE_S + 1
    assert second.hold(NOW) is not None
    ticks.now = TIME_TO_LIVE_S + 1
    assert second.hold(late) is None
    assert first.hold(late) is not None
    assert first.hold(NOW + 1) is not None


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


def told(**changes: object) -> LeaseRecord:
    """A lease as it is written today: with the boot, the namespace and the tick at which its owner began."""
    place = here()
    mine = {"boot": place.boot, "namespace": place.namespace, "started_tick": started_tick(os.getpid())}
    return record(**mine | changes)


linux = pytest.mark.skipif(not here().boot, reason="no /proc here")


@linux
def test_two_containers_of_one_name_do_not_take_it_from_each_other(path: Path) -> None:
    """Each is process 1 of "analyzer" in its own namespace, and sees a process 1 that began at another time."""
    write_record(path, told(namespace="pid:[1]", pid=1, started_tick=1))
    assert Lease(path, hurried=True).hold(NOW + TIME_TO_LIVE_S) is not None
    assert Lease(path).hold(NOW + TIME_TO_LIVE_S + 1) is not None
    assert Lease(path, hurried=True).hold(NOW + TIME_TO_LIVE_S + 1) is None


@linux
def test_two_machines_of_one_name_are_told_apart_by_their_boots(path: Path) -> None:
    write_record(path, told(boot="another boot", started_tick=1))
    assert Lease(path).hold(NOW + TIME_TO_LIVE_S) is not None


@linux
def test_a_clock_that_is_set_takes_it_from_nobody_who_lives(path: Path) -> None:
    write_record(path, told(process_started_at=0.0))
    assert Lease(path).hold(NOW - 3600) is not None, "set back an hour, and its owner has not renewed it yet"
    assert Lease(path, hurried=True).hold(NOW + 3600) is not None, "set forward, or awake after an hour"


@linux
def test_an_owner_that_is_gone_or_another_by_now_loses_it_at_once(path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    tick = started_tick(dead.pid)
    dead.wait()
    for gone in (told(pid=dead.pid, started_tick=tick), told(started_tick=1)):
        write_record(path, gone)
        lease = Lease(path)
        assert lease.hold(NOW + 1) is None
        lease.release()


def test_another_machine_is_given_its_time(path: Path) -> None:
    write_record(path, record(host="elsewhere", pid=1))
    assert Lease(path, hurried=True).hold(NOW + TIME_TO_LIVE_S) is not None
    assert Lease(path, hurried=True).hold(NOW + TIME_TO_LIVE_S + 1) is None


def test_a_heartbeat_far_in_the_future_does_not_last_forever(path: Path) -> None:
    write_record(path, record(host="elsewhere", heartbeat_at=NOW + 10_000))
    assert Lease(path, hurried=True).hold(NOW) is None


def test_a_torn_file_is_nobodys(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    lease = Lease(path)
    assert lease.hold(NOW) is None
    assert read_record(path, LeaseRecord).owner == lease.owner


class Interrupted(Lease):
    """Something happens after it has seen who has the lease, and before it acts on that."""

    def __init__(self, path: Path, between: Callable[[], object]) -> None:
        super().__init__(path, hurried=True)
        self.between = between

    def _break(self, other: LeaseRecord, now: float) -> bool:
        self.between()
        return super()._break(other, now)


@pytest.mark.parametrize("torn", [False, True])
def test_of_two_who_find_it_dead_the_second_one_does_not_break_the_first_ones(path: Path, torn: bool) -> None:
    write_record(path, record(host="elsewhere", heartbeat_at=NOW - 1000))
    if torn:
        path.write_text("{")
    first = Lease(path, hurried=True)
    second = Interrupted(path, lambda: first.hold(NOW))
    other = second.hold(NOW)
    assert other is not None
    assert other.owner == first.owner
    assert first.hold(NOW + HEARTBEAT_S) is None
    assert read_record(path, LeaseRecord).owner == first.owner
    assert [p.name for p in path.parent.iterdir()] == ["lease.json"], "nothing is left beside it"


def test_an_owner_who_wakes_up_in_time_keeps_it(path: Path) -> None:
    owner, ticks = Lease(path), Ticks()
    owner.hold(NOW)
    late = NOW + TIME_TO_LIVE_S + 1
    waiting = Interrupted(path, lambda: owner.hold(late))
    waiting.ticks = ticks
    assert waiting.hold(NOW) is not None
    ticks.now = TIME_TO_LIVE_S + 1
    other = waiting.hold(late)
    assert other is not None
    assert (other.owner, other.heartbeat_at) == (owner.owner, late)
    assert owner.hold(late + HEARTBEAT_S) is None


def test_nobody_breaks_it_while_somebody_else_does(path: Path) -> None:
    write_record(path, record(host="elsewhere", heartbeat_at=NOW - 1000))
    guard = path.with_name(".lease.breaking")
    guard.touch()
    os.utime(guard, (NOW, NOW))
    assert Lease(path, hurried=True).hold(NOW + 1) is not None
    assert guard.exists()
    last = Lease(path, hurried=True)
    assert last.hold(NOW + TIME_TO_LIVE_S + 1) is not None, "whoever held the guard was killed"
    assert last.hold(NOW + TIME_TO_LIVE_S + 2) is None
    assert [p.name for p in path.parent.iterdir()] == ["lease.json"]


def test_a_guard_from_the_future_does_not_last_forever(path: Path) -> None:
    write_record(path, record(host="elsewhere", heartbeat_at=NOW - 1000))
    guard = path.with_name(".lease.breaking")
    guard.touch()
    os.utime(guard, (NOW + 1000, NOW + 1000))
    lease = Lease(path, hurried=True)
    assert lease.hold(NOW) is not None
    assert lease.hold(NOW) is None


def test_a_filesystem_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first, second = Lease(path), Lease(path)
    assert first.hold(NOW) is None
    other = second.hold(NOW)
    assert other is not None
    assert other.owner == first.owner
    assert [p.name for p in path.parent.iterdir()] == ["lease.json"]


def test_of_three_processes_one_gets_it(tmp_path: Path) -> None:
    """Whatever their timing, over many dead leases that all find at once."""
    rounds, now = 300, time.time()
    paths = [tmp_path / str(number) / "lease.json" for number in range(rounds)]
    for path in paths:
        write_record(path, record(host="elsewhere", heartbeat_at=now - 1000), durable=False)
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    processes = [spawn.Process(target=claim_all, args=(paths, now, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for number, path in enumerate(paths):
        winners = [owners[number] for owners in found if owners[number]]
        assert winners == [read_record(path, LeaseRecord).owner], f"round {number}"


def test_a_lease_that_somebody_deleted_is_taken_again(path: Path) -> None:
    lease = Lease(path)
    lease.hold(NOW)
    path.unlink()
    assert lease.hold(NOW + HEARTBEAT_S) is None
    assert path.exists()
    assert sorted(p.name for p in path.parent.iterdir()) == ["lease.json"], "nothing is left beside it"


@pytest.mark.parametrize("before", [b" " * 70_000, b"\xff\xfe"])
def test_our_own_record_that_cannot_be_renewed_is_made_anew(path: Path, before: bytes) -> None:
    """What is read to look at it is what is read to renew it: neither is looked at forever."""
    lease = Lease(path)
    assert lease.hold(NOW) is None
    path.write_bytes(before + path.read_bytes())
    assert lease.hold(NOW + HEARTBEAT_S) is None
    assert lease.is_ours and path.stat().st_size == LENGTH


def test_who_finds_it_broken_at_each_look_does_not_look_forever(path: Path) -> None:
    class Outrun(Lease):
        """Its file is gone whenever it would write a heartbeat."""

        def _renew(self, now: float) -> bool:
            return False

    lease = Outrun(path)
    lease.hold(NOW)
    assert lease.hold(NOW + HEARTBEAT_S) is not None


def test_what_was_begun_before_it_was_lost_is_not_ours_once_it_is_taken_back(path: Path) -> None:
    first, second = Lease(path), Lease(path)
    first.hold(NOW)
    before = first.owner
    first.path.unlink()
    second.hold(NOW)
    assert first.hold(NOW + HEARTBEAT_S) is not None
    second.release()
    assert first.hold(NOW + 2 * HEARTBEAT_S) is None
    assert first.is_ours and first.owner != before
