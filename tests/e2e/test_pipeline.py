"""`midwatch pipeline` as a user runs it, on a tiny judge: killed while it trains, gone on with, and failing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from journeys.places import Places
from tests.e2e.inputs import OFFLINE, midwatch, write_train_config
from tests.making.runs import snapshot
from tests.making.waiting import LIMIT_S, wait_until

pytest.importorskip("ribs", reason="the attack stage needs pyribs")
STAGES = ["prepare", "train", "watch", "evaluate", "attack", "report"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    train = yaml.safe_load(write_train_config(folder).read_text())
    kept = {
        name: train[name] for name in ("freeze_layers", "max_length", "batch_size", "learning_rate", "patience")
    }
    path = folder / "pipeline.yaml"
    given = {"data": train["data"], "model": train["model"], "epochs": 2, "budget": 60, "train": kept}
    path.write_text(yaml.safe_dump(given | {"prepare": {"probes_per_class": 12}}))
    return path


@pytest.fixture(scope="module")
def killed(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    """What a pipeline leaves that was killed outright while its judge was training."""
    places = Places(tmp_path_factory.mktemp("runs") / "pipeline")
    command = [
        sys.executable,
        "-m",
        "midwatch",
        "pipeline",
        "--config",
        str(config),
        "--output-dir",
        str(places.root),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=OFFLINE)
    record = places.root / "pipeline.json"
    wait_until(
        lambda: process.poll() is not None or (record.exists() and "train" in record.read_text()), "training"
    )
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == -signal.SIGKILL, said
    return places


@pytest.fixture(scope="module")
def finished(killed: Places, config: Path) -> tuple[Places, str, dict[Path, int]]:
    """The same command again, its options written with underscores; and what was there before, with its times."""
    before = times(killed)
    words = ["--config", str(config), "--output_dir", str(killed.root), "--visualize_training"]
    done = midwatch("pipeline", *words, seconds=2 * LIMIT_S)
    logs = "\n".join(log.read_text() for log in killed.root.glob("logs/*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    return killed, done.stdout, before


def times(places: Places) -> dict[Path, int]:
    """When the data, and each checkpoint that is whole, were written."""
    files = [*places.prepared.iterdir(), *places.judge.path.glob("_midwatch/commits/*.json")]
    return {path: path.stat().st_mtime_ns for path in files}


def test_killed_and_started_again_nothing_is_done_twice(finished: tuple[Places, str, dict[Path, int]]) -> None:
    places, said, before = finished
    assert "prepare: done before" in said and all(f"{name}: done" in said for name in STAGES)
    after = times(places)
    assert before.items() <= after.items() and len(after) > len(before)


def test_every_stages_work_is_there(finished: tuple[Places, str, dict[Path, int]]) -> None:
    places, said, _ = finished
    assert places.is_prepared and places.judge.trained and places.judge.analysed
    assert places.judge.evaluation("test") and places.judge.attack("attacks.jsonl")
    assert "<html" in places.report.read_text()[:200] and f"Report: {places.report}" in said
    record = json.loads((places.root / "pipeline.json").read_text())
    assert {name: stage["state"] for name, stage in record["stages"].items()} == dict.fromkeys(STAGES, "done")


def test_nothing_is_left_running(finished: tuple[Places, str, dict[Path, int]]) -> None:
    places, _, _ = finished
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if str(places.root) in line]


def test_the_folder_may_be_moved_and_nothing_is_done_twice(
    finished: tuple[Places, str, dict[Path, int]], config: Path, tmp_path: Path
) -> None:
    places, _, _ = finished
    there = places.root.rename(tmp_path / "moved")
    try:
        before = snapshot(there)
        done = midwatch("pipeline", "--config", str(config), "--output-dir", str(there))
        after = snapshot(there)
    finally:
        there.rename(places.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if ": done" in line] == [f"{n}: done before" for n in STAGES]
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    work = [str(there / name) for name in ("prepared", "judge", "report.html")]
    assert not [path for path in changed if path.startswith(tuple(work))]


def test_what_is_done_stays_and_what_fails_is_said(
    finished: tuple[Places, str, dict[Path, int]], config: Path, tmp_path: Path
) -> None:
    """An option that evaluate does not know: it fails, attack is done already, and the report is made anew."""
    places, _, _ = finished
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(config.read_text() + "evaluate: {no_such_option: 1}\n")
    done = midwatch("pipeline", "--config", str(wrong), "--output-dir", str(places.root))
    assert done.returncode == 1
    assert "attack: done before" in done.stdout and "report: done before" in done.stdout
    assert "Failed: evaluate (exit code 2: Unknown option 'no_such_option'" in done.stderr
    assert "The same command goes on from there." in done.stderr


def test_a_judge_that_is_not_there(config: Path, tmp_path: Path) -> None:
    done = midwatch("pipeline", "--config", str(config), "--output-dir", str(tmp_path / "none"), "--eval-only")
    assert done.returncode == 1
    assert "evaluate: left out: needs train, whose work is not there" in done.stdout
    assert "prepare: skipped (--eval-only)" in done.stdout and not (tmp_path / "none" / "judge").exists()


def test_an_unknown_stage_in_the_config_file(config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(config.read_text() + "polish: {}\n")
    done = midwatch("pipeline", "--config", str(wrong), "--output-dir", str(tmp_path / "none"))
    assert done.returncode == 2 and "Unknown option 'polish'" in done.stderr
