"""Components as processes: started, watched, and stopped whatever happens. The components are real commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journeys.children import Child, split_cores, start, stop, stopping_children
from shared.errors import MidwatchError
from tests.making.waiting import LIMIT_S, wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def child(code: str, log: Path) -> Child:
    """A child that runs Python `code`."""
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=output, stderr=output)
    return Child("train", process, log)


def wait_for(log: Path, text: str) -> None:
    wait_until(lambda: text in log.read_text(), repr(text))


def test_start_runs_the_command_with_its_output_in_the_log(tmp_path: Path) -> None:
    started = start(["--version"], tmp_path / "logs" / "version.log")
    assert started.process.wait(LIMIT_S) == 0
    assert started.log.read_text().strip()
    started.check()


def test_a_failure_says_the_last_lines(tmp_path: Path) -> None:
    failed = start(["demo", "--epochs", "none"], tmp_path / "demo.log")
    failed.process.wait(LIMIT_S)
    with pytest.raises(MidwatchError, match=r"`midwatch demo` ended with exit code 2") as error:
        failed.check()
    assert "--epochs" in str(error.value)


def test_start_uses_the_cores_it_is_given(tmp_path: Path) -> None:
    _, last = split_cores()
    if not last:
        pytest.skip("this system does not let a process choose its cores")
    log = tmp_path / "log"
    started = start(
        ["demo", "--no-serve", "--output-dir", str(tmp_path / "x"), "--train-config", "none"], log, last
    )
    assert os.sched_getaffinity(started.process.pid) == set(last)
    started.process.wait(LIMIT_S)


def test_cores_are_split_without_overlap() -> None:
    trainer, analyzer = split_cores()
    if len(trainer) + len(analyzer) > 2:
        assert not set(trainer) & set(analyzer)
    assert len(analyzer) <= 1


def test_stop_ends_gently_and_then_by_force(tmp_path: Path) -> None:
    gentle = child("import time; print('up', flush=True); time.sleep(600)", tmp_path / "a")
    stubborn = child(STUBBORN, tmp_path / "b")
    for each in (gentle, stubborn):
        wait_for(each.log, "up")
    stop([gentle, stubborn], grace_s=0.5)
    assert gentle.code == -signal.SIGTERM
    assert stubborn.code == -signal.SIGKILL


def test_children_end_with_an_exception(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), stopping_children() as children:
        children.append(child("import time; time.sleep(600)", tmp_path / "a"))
        raise RuntimeError
    assert children[0].code is not None


def test_children_end_with_sigterm(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as leaving, stopping_children() as children:
        children.append(child("import time; time.sleep(600)", tmp_path / "a"))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
    assert leaving.value.code == 143
    assert children[0].code == -signal.SIGTERM
