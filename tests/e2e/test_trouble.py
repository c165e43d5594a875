"""Full and read-only disks, signals, and a second analyzer, with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.results import ResultStore
from shared.views import suite_views
from tests.e2e.processes import is_alive, results_of, started, status_of, worker_of
from tests.making.commands_here import midwatch_here
from tests.making.runs import add_checkpoint, describe, judge_template, snapshot
from tests.making.waiting import LIMIT_S, wait_until
from trainer.announce import announce


def mount(*words: str) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 8 MB of its own; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)):
        pytest.skip("no right to mount a small filesystem here; test_analyse.py covers it with a file size limit")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the space there is."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


@pytest.mark.slow
def test_a_full_disk_pauses_the_analysis_until_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    run, log = describe(small_disk / "run"), tmp_path / "log"
    checkpoint = add_checkpoint(run, 10, judge_template(tmp_path), 1.0, announced=False)
    (checkpoint / "trainer_state.json").rename(run / "trainer_state.json")
    with started("midwatch", "watch", str(run), log=log) as supervisor:
        wait_until(lambda: status_of(run).get("state") == "idle", "the worker to start")
        filler = fill(small_disk)
        os.truncate(filler, filler.stat().st_size - 16 * 1024)  # room for a commit file, not for results
        (run / "trainer_state.json").rename(checkpoint / "trainer_state.json")
        announce(run, 10, 1.0, {})
        wait_until(lambda: "paused" in log.read_text(), "the pause")
        assert supervisor.poll() is None
        assert not done(run)
        filler.unlink()
        wait_until(lambda: done(run), "the work to go on by itself")
        supervisor.terminate()
        assert supervisor.wait(LIMIT_S) == 0
    assert not list(run.glob("_midwatch/attempts/*")), "no attempt was used"
    assert len(results_of(run)) == len(suite_views("basic"))


def done(run: Path) -> bool:
    rows = status_of(run).get("checkpoints", [])
    return bool(rows) and all(row["state"] == "done" for row in rows)


def test_a_read_only_run_is_analysed_elsewhere(small_disk: Path, tmp_path: Path) -> None:
    run = describe(small_disk / "run")
    add_checkpoint(run, 10, judge_template(tmp_path), 1.0)
    assert mount("-o", "remount,ro", str(small_disk))
    before = snapshot(run)
    refused = midwatch_here("analyze", str(run))
    assert refused.returncode == 1
    assert "--out DIR" in refused.stderr.splitlines()[-1]
    out = tmp_path / "elsewhere"
    analysed = midwatch_here("analyze", str(run), "--out", str(out), "--only", "progress")
    assert analysed.returncode == 0, analysed.stderr
    assert ResultStore(out / "_midwatch" / "results").newest("checkpoint-10", "progress") is not None
    assert (out / "training_visualizations" / "training_progress.html").exists()
    assert "checkpoint-10" in midwatch_here("status", str(out)).stdout
    assert snapshot(run) == before


def test_signals_at_any_moment_and_a_second_analyzer(tmp_path: Path) -> None:
    run, log = describe(tmp_path / "run"), tmp_path / "log"
    template = judge_template(tmp_path)
    moments = [
        ("the start", signal.SIGINT, lambda: status_of(run).get("state") == "starting"),
        ("the load", signal.SIGTERM, lambda: status_of(run).get("running")),
        ("a result", signal.SIGINT, lambda: status_of(run) and results_of(run)),
    ]
    add_checkpoint(run, 10, template, 1.0)
    for name, number, moment in moments:
        (run / "_midwatch" / "status.json").unlink(missing_ok=True)
        with started("midwatch", "watch", str(run), log=log) as supervisor:
            wait_until(moment, name)
            worker = worker_of(supervisor.pid)
            if name == "the start":
                second = midwatch_here("watch", str(run), "--once")
                assert second.returncode == 1
                assert "another analyzer" in second.stderr.splitlines()[-1]
            supervisor.send_signal(number)
            assert supervisor.wait(LIMIT_S) == 0, log.read_text()
            assert worker is None or not is_alive(worker)
        assert status_of(run)["state"] == "stopped"
        assert not list(run.glob("_midwatch/lease.json"))
        attempts = [path.read_text() for path in run.glob("_midwatch/attempts/*.json")]
        assert all('"attempts": []' in text for text in attempts), "a gentle stop uses no attempt"
    finished = midwatch_here("watch", str(run), "--once")
    assert finished.returncode == 0, finished.stderr
    assert len(results_of(run)) == len(suite_views("basic"))
