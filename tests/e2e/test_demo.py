"""`midwatch demo` as a user runs it, on a tiny judge: every file, the summary, a second time, and its failures."""

from __future__ import annotations

import collections
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from shared.run import Run
from shared.views import all_views
from tests.dashboard.browser import healthy
from tests.e2e.inputs import OFFLINE, midwatch, write_train_config
from tests.making.waiting import LIMIT_S, wait_until

EPOCHS = 3
KINDS = ("safe", "safe", "unsafe", "unsafe")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_train_config(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def demo(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """The demo's run and what it printed."""
    path = tmp_path_factory.mktemp("runs") / "demo"
    done = midwatch("demo", "--no-serve", "--advanced", "--output-dir", str(path), "--train-config", str(config))
    logs = "\n".join(log.read_text() for log in path.glob("_midwatch/*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    return Run.at(path), done.stdout


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def expected_files() -> set[str]:
    names = {"training_progress.html"}
    for epoch in range(1, EPOCHS + 1):
        names |= {f"epoch_{epoch}_circuit_comparison.html", f"epoch_{epoch}_metrics.json"}
        names |= {f"epoch_{epoch}_{what}.html" for what in ("neuron_map", "heads", "circuits", "evolution")}
        names.add(f"epoch_{epoch}_circuits.json")
        for number, kind in enumerate(KINDS):
            names |= {f"epoch_{epoch}_sample_{number}_{kind}_{what}.html" for what in ("tokens", "layers")}
    return names


def test_every_file_of_both_suites_for_each_epoch(demo: tuple[Run, str]) -> None:
    run, _ = demo
    assert expected_files() - {path.name for path in run.visualizations.iterdir()} == set()
    for path in run.visualizations.glob("*_metrics.json"):
        metrics = json.loads(path.read_text())
        assert {"epoch", "val_accuracy", "val_loss", "val_f1", "train_loss"} <= metrics.keys()


def test_each_result_exactly_once(demo: tuple[Run, str]) -> None:
    run, _ = demo
    counts = collections.Counter(path.parts[-4:-2] for path in run.results.glob("*/*/*/result.json"))
    analyses = {view.name for view in all_views()}
    assert len(counts) == len(analyses) * EPOCHS and {analysis for _, analysis in counts} == analyses
    for (checkpoint, analysis), count in counts.items():
        # what changed is told anew when an earlier checkpoint is analysed later
        assert count == 1 or analysis == "evolution", f"{checkpoint}: {count} of {analysis}"


def test_the_summary_says_what_was_found(demo: tuple[Run, str]) -> None:
    run, text = demo
    for words in (
        "judge, epoch 3",
        "words only (TF-IDF)",
        "length only",
        "Words of epoch 3:",
        str(run.visualizations),
    ):
        assert words in text


def test_nothing_is_left_running(demo: tuple[Run, str]) -> None:
    run, _ = demo
    assert not children_of(run)


@pytest.mark.slow
def test_a_second_time_nothing_is_trained_and_the_dashboard_serves(demo: tuple[Run, str], free_port: int) -> None:
    run, _ = demo
    before = {path: path.stat().st_mtime_ns for path in run.results.glob("*/*/*/result.json")}
    command = [sys.executable, "-m", "midwatch", "demo", "--output-dir", str(run.path), "--port", str(free_port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=OFFLINE)
    try:
        wait_until(lambda: process.poll() is not None or healthy(f"http://127.0.0.1:{free_port}"), "the dashboard")
        assert process.poll() is None, process.communicate()[0]
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143, output
    assert "trained already" in output
    assert {path: path.stat().st_mtime_ns for path in run.results.glob("*/*/*/result.json")} == before
    assert not children_of(run)


def test_a_failing_trainer_is_explained(config: Path, tmp_path: Path) -> None:
    broken = tmp_path / "train.yaml"
    broken.write_text(config.read_text() + "no_such_option: 1\n")
    done = midwatch("demo", "--no-serve", "--output-dir", str(tmp_path / "run"), "--train-config", str(broken))
    assert done.returncode == 1
    assert "no_such_option" in done.stderr
    assert "`midwatch train` ended with exit code 2" in done.stderr
    assert not children_of(Run.at(tmp_path / "run"))


@pytest.mark.slow
def test_sigint_stops_every_process(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "midwatch", "demo", "--no-serve", "--epochs", "500"]
    command += ["--output-dir", str(tmp_path / "run"), "--train-config", str(config)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=OFFLINE,
        # a shell starts its background jobs with SIGINT ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_until(lambda: process.poll() is not None or list(tmp_path.glob("run/checkpoint-*")), "a checkpoint")
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, output
    assert not children_of(Run.at(tmp_path / "run"))


def children_of(run: Run) -> list[list[str]]:
    """Command lines of processes that work on `run`, this test's own aside."""
    lines = [
        process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]) if process.pid != os.getpid()
    ]
    return [line for line in lines if str(run.path) in line]
