"""A commit under a lost lease: refused at whichever step its process was stopped, and one result comes of two."""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from analyzer.supervisor.lease import Lease
from shared.errors import LeaseLost
from shared.lease_check import require_lease
from shared.results import ResultStore
from shared.run import Run
from tests.making.committing import KEY, commit
from tests.making.fork_server import fork_server
from tests.making.waiting import wait_until

NOW = 1_000_000.0


def test_who_has_the_lease_commits_and_who_lost_it_does_not(tmp_path: Path) -> None:
    first = Lease(Run.at(tmp_path).lease)
    first.hold(NOW)
    assert commit(tmp_path, first.owner)
    store = ResultStore(Run.at(tmp_path).results, "somebody else")
    with pytest.raises(LeaseLost, match="Another analyzer has"):
        store.remove("checkpoint-5", "layers", KEY)
    assert store.has("checkpoint-5", "layers", KEY)
    first.release()
    with pytest.raises(LeaseLost):
        ResultStore(Run.at(tmp_path).results, first.owner).remove("checkpoint-5", "layers", KEY)
    assert not commit(tmp_path, first.owner), "what is there needs nobody's lease"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"owner": 5}', '{"owner": null}'])
def test_a_lease_that_cannot_be_read_is_nobodys(tmp_path: Path, text: str) -> None:
    lease = Run.at(tmp_path).lease
    lease.parent.mkdir()
    lease.write_text(text)
    with pytest.raises(LeaseLost):
        commit(tmp_path, "somebody")


def test_a_lease_behind_a_link_is_nobodys(tmp_path: Path) -> None:
    elsewhere = Lease(tmp_path / "lease.json")
    elsewhere.hold(NOW)
    run = tmp_path / "run"
    (run / "_midwatch").mkdir(parents=True)
    Run.at(run).lease.symlink_to(elsewhere.path)
    with pytest.raises(LeaseLost):
        commit(run, elsewhere.owner)


def test_a_lease_that_cannot_be_opened_just_now_is_not_said_to_be_anothers(tmp_path: Path) -> None:
    lease, result = Lease(Run.at(tmp_path).lease), Run.at(tmp_path).results / "checkpoint-5" / "layers" / KEY
    lease.hold(NOW)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            require_lease(lease.owner, result, None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    require_lease(lease.owner, result, None)


def test_stopped_at_any_step_of_a_commit_while_another_takes_over(tmp_path: Path) -> None:
    told: Counter[str] = Counter()
    with fork_server(tmp_path, "tests.making.committing") as forks:
        for step in range(1, 100):
            run, steps, said = tmp_path / str(step), tmp_path / f"{step}.steps", tmp_path / f"{step}.said"
            run.mkdir()
            first, second = Lease(Run.at(run).lease), Lease(Run.at(run).lease)
            first.hold(NOW)
            words = str(run), str(steps), str(step), "stop", "tests.making.committing", str(run), first.owner
            process = forks.start(*words, output=said)
            wait_for_stop(process.pid, said)
            first.release()  # as whoever breaks it does; the way to there is the lease's own test
            assert second.hold(NOW) is None
            store = ResultStore(Run.at(run).results, second.owner)
            store.sweep()
            ours = commit(run, second.owner)
            with suppress(ProcessLookupError):  # it has ended
                os.kill(process.pid, signal.SIGCONT)
            assert process.wait() == 0
            told[said.read_text().strip()] += 1
            assert ours == ("committed" not in said.read_text()), steps.read_text()
            (found,) = Run.at(run).results.glob("*/*/*/result.json")
            record = store.load("checkpoint-5", "layers", found.parent.name)
            assert record.warnings == [second.owner if ours else first.owner]
            assert store.tensors(record)["a"].shape == (10,)
            store.sweep()
            assert [path.name for path in found.parent.parent.iterdir()] == [KEY], "nothing is left aside"
            if len(steps.read_text().splitlines()) < step:
                break
    assert sum(told.values()) > 5 and told["committed"] == 1 and told["refused: LeaseLost"] > 3, told


def wait_for_stop(pid: int, said: Path) -> None:
    wait_until(lambda: said.read_text() or is_stopped(pid), "the process to stop or to end")


def is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
