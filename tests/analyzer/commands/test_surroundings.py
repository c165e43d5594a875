"""What `midwatch doctor` finds around a run: each misconfiguration is made for real, and the sound run has none."""

from __future__ import annotations

import os
import re
import resource
import time
from pathlib import Path
from typing import Literal

import pytest

from analyzer.commands import surroundings
from analyzer.commands.surroundings import around, clock, file_system, planted
from analyzer.supervisor.lease import Lease
from shared.files import write_record
from shared.run import Run
from tests.making.fake_run import fake_status
from tests.making.no_inotify import without_inotify
from tests.making.runs import describe


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.at(describe(tmp_path / "run"))
    run.midwatch.mkdir()
    return run


def ill(run: Run) -> dict[str, str]:
    """Everything that is not good: what -> state and detail."""
    return {each.what: f"{each.state}: {each.detail}" for each in around(run) if each.state != "good"}


def test_a_sound_run_has_nothing(run: Run) -> None:
    (run.path / "train.py").write_text("")
    (run.path / "torch").mkdir()
    assert ill(run) == {}, "a script of one's own, and a folder without code"
    assert [*run.midwatch.iterdir()] == [], "nothing stays"


@pytest.mark.parametrize("name", ["torch.py", "json.py", "streamlit.py", "analyzer.py", "yaml/__init__.py"])
def test_planted_modules(run: Run, name: str) -> None:
    path = run.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('ran')")
    found = ill(run)
    assert found.keys() == {"modules"}
    assert found["modules"].startswith(f"warning: {run.path / name.partition('/')[0]}: the name of a library.")


def test_planted_modules_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert planted().state == "warning"


def test_a_module_that_would_really_be_imported_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (run.path / "tqdm.py").write_text("")
    monkeypatch.syspath_prepend(str(run.path))
    assert planted(run.path).state == "broken"
    assert "take it out of PYTHONPATH" in planted(run.path).detail


@pytest.mark.parametrize("place", ["_midwatch/results/checkpoint-10/tokens", "training_visualizations/index.html"])
def test_links_in_our_folders(run: Run, tmp_path: Path, place: str) -> None:
    link = run.path / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path)
    found = ill(run)
    assert found.keys() == {"links"}
    assert found["links"].startswith(f"broken: {link} is a symbolic link")


def test_our_folder_as_a_link_is_not_written_through(run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run.midwatch.rmdir()
    run.midwatch.symlink_to(elsewhere)
    assert "is a symbolic link" in ill(run)["links"]
    assert [*elsewhere.iterdir()] == []


def test_another_analyzer(run: Run) -> None:
    lease = Lease(run.lease)
    assert lease.hold(time.time()) is None
    found = {each.what: each for each in around(run)}["analyzer"]
    assert (found.state, f"process {os.getpid()} on" in found.detail) == ("good", True)
    ours = fake_status(heartbeat_at=time.time()).model_copy(
        update={"pid": os.getpid(), "host": os.uname().nodename}
    )
    write_record(run.status, ours)
    assert ill(run) == {}
    write_record(run.status, ours.model_copy(update={"host": "another"}))
    assert "on another both tell of the run: stop one" in ill(run)["analyzer"]
    write_record(run.status, ours.model_copy(update={"host": "another", "state": "stopped"}))
    assert ill(run) == {}, "it has gone, and said so"
    lease.release()
    run.lease.write_text("{")
    assert "is damaged" in ill(run)["analyzer"]


def test_room_where_the_system_tells_nothing_of_a_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no statvfs."""
    monkeypatch.delattr(os, "statvfs")
    found = surroundings.room(run)
    assert (found.state, found.detail) == ("good", "enough")


def test_a_disk_without_room(run: Run) -> None:
    """No file may be larger than a page: some bytes can be written, what a checkpoint takes cannot."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        found = surroundings.room(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.state == "broken" and "1 MiB cannot be written" in found.detail
    assert surroundings.room(run).state == "good"


MOUNTS = """22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home/a\\040b rw,relatime - nfs4 server:/export rw
31 22 0:41 / /mnt rw - cifs //server/share rw
32 31 0:42 / /mnt/fast rw - xfs /dev/sdb rw
33 22 0:43 / /cloud rw - fuse.sshfs u@h: rw
34 22 0:44 / /covered rw - ext4 /dev/sdc rw
35 34 0:45 / /covered rw - nfs server:/b rw
torn line
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/a b/run", "nfs4"),
        ("/mnt/run", "cifs"),
        ("/cloud/run", "fuse.sshfs"),
        ("/covered/run", "nfs"),
        ("/mnt/fast/run", ""),
        ("/mnt-other/run", ""),
        ("/home/run", ""),
    ],
)
def test_network_file_systems(tmp_path: Path, place: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    found = file_system(Path(place), mounts)
    assert found.state == ("warning" if kind else "good")
    assert not kind or f"{place} is on {kind}: " in found.detail
    assert file_system(Path(place), tmp_path / "none").state == "good", "where the kernel lists none"


def test_clocks_that_differ(run: Run) -> None:
    assert clock(run).state == "good"
    behind = clock(run, lambda: time.time() + 3600)
    assert behind.state == "broken" and "s behind this machine's" in behind.detail
    ahead = clock(run, lambda: time.time() - 3600)
    assert ahead.state == "broken" and "s ahead of this machine's" in ahead.detail


def test_checkpoints_of_the_future(run: Run) -> None:
    checkpoint = run.path / "checkpoint-10"
    checkpoint.mkdir()
    later = time.time() + 3600
    os.utime(checkpoint, (later, later))
    assert re.search(r"is dated 3[56]\d\d s ahead", ill(run)["clock"])


SAY_EVENTS = (
    "import sys; from shared.run import Run; from analyzer.commands.surroundings import events; "
    "found = events(Run.at(sys.argv[1])); print(found.state, found.detail)"
)


@pytest.mark.parametrize("limit", ["instances", "watches"])
def test_no_inotify(run: Run, limit: Literal["instances", "watches"]) -> None:
    done = without_inotify(limit, SAY_EVENTS, run.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("warning refused (")
    assert "changes are seen by --rescan alone" in done.stdout
