"""A run in a bucket, as a user has it: mirrored by the command, killed on the way, analysed, results sent back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from shared.views import suite_views
from tests.e2e.processes import ENVIRONMENT
from tests.making.bucket_server import CREDENTIALS, SECRET, BucketServer, bucket_server
from tests.making.commands_here import midwatch_here
from tests.making.runs import add_checkpoint, describe, judge_template, snapshot
from tests.making.waiting import LIMIT_S, wait_until
from trainer.announce import announce

PADDING = 60 * 2**20
"""Bytes of a tensor that makes the weights more than one block."""


@pytest.fixture(scope="module")
def server() -> Iterator[BucketServer]:
    with bucket_server() as found:
        yield found


def mirror(*words: object) -> subprocess.Popen[str]:
    """`midwatch mirror` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "midwatch", "mirror", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT | CREDENTIALS,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """All that it said, once it has ended."""
    said = "".join(process.communicate(timeout=LIMIT_S))
    assert process.returncode == code, said
    assert SECRET not in said
    return said


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = describe(tmp_path / "run", steps=20)
    for step in (10, 20):
        add_checkpoint(path, step, judge_template(tmp_path), step / 10)
    (path / "checkpoint-20" / "optimizer.pt").write_bytes(b"not the judge's")
    return path


def test_mirrored_analysed_and_sent_back(server: BucketServer, run: Path, tmp_path: Path) -> None:
    bucket, copy = server.new_bucket(), tmp_path / "copy"
    server.upload(bucket, run, "runs/judge")
    theirs = {key: server.get(bucket, key) for key in server.keys(bucket)}
    words = (f"s3://{bucket}/runs/judge", copy, "--endpoint", server.endpoint)
    assert "2 checkpoints copied" in ended(mirror(*words))
    for name in ("checkpoint-10", "checkpoint-20"):
        for file in (copy / name).iterdir():
            assert file.read_bytes() == (run / name / file.name).read_bytes()
            assert file.stat().st_mtime_ns == (run / name / file.name).stat().st_mtime_ns
    assert not (copy / "checkpoint-20" / "optimizer.pt").exists()
    before = {name: snapshot(copy / name) for name in ("checkpoint-10", "checkpoint-20")}

    done = midwatch_here("watch", copy, "--once", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert {name: snapshot(copy / name) for name in before} == before

    said = ended(mirror(*words, "--push"))
    assert "0 checkpoints copied" in said
    keys = server.keys(bucket)
    assert theirs.items() <= {key: server.get(bucket, key) for key in keys}.items(), "what was theirs has changed"
    here = [path for path in copy.glob("_midwatch/results/*/*/*/*") if path.is_file()]
    pictures = [path for path in (copy / "training_visualizations").rglob("*") if path.is_file()]
    assert {path.parts[-3] for path in here} >= {view.name for view in suite_views("basic")}
    for path in (*here, *pictures):
        assert server.get(bucket, f"runs/judge/{path.relative_to(copy).as_posix()}") == path.read_bytes()
    assert not [key for key in keys if "/mirror/" in key or "lock" in key]
    assert "0 files of results sent" in ended(mirror(*words, "--push"))


@pytest.mark.slow
def test_killed_while_it_fetches_it_goes_on_and_is_whole(server: BucketServer, run: Path, tmp_path: Path) -> None:
    weights = run / "checkpoint-20" / "model.safetensors"
    padded = load_file(weights) | {"padding": np.random.default_rng(0).integers(0, 255, PADDING, dtype=np.uint8)}
    save_file(padded, weights, {"format": "pt"})
    announce(run, 20, 2.0, {})
    bucket, copy = server.new_bucket(), tmp_path / "copy"
    server.upload(bucket, run)
    words = (f"s3://{bucket}/run", copy, "--endpoint", server.endpoint)
    part = copy / "_midwatch" / "mirror" / "staging" / "checkpoint-20" / "part"
    first = mirror(*words)
    wait_until(lambda: first.poll() is not None or (part.exists() and part.stat().st_size), "the first bytes")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert not (copy / "checkpoint-20").exists()
    second, third = mirror(*words), mirror(*words)  # two at once: one copies, the other says so or comes after it
    said = ["".join(process.communicate(timeout=LIMIT_S)) for process in (second, third)]
    codes = sorted(process.returncode for process in (second, third))
    assert codes in ([0, 0], [0, 1]), said
    assert codes == [0, 0] or any("Another mirror copies into" in text for text in said)
    for name in ("checkpoint-10", "checkpoint-20"):
        for file in (copy / name).iterdir():
            assert file.read_bytes() == (run / name / file.name).read_bytes(), file
    assert not list((copy / "_midwatch" / "mirror" / "staging").iterdir())


@pytest.mark.slow
def test_it_follows_until_it_is_stopped(server: BucketServer, run: Path, tmp_path: Path) -> None:
    bucket, copy = server.new_bucket(), tmp_path / "copy"
    server.upload(bucket, run)
    process = mirror(f"s3://{bucket}/run", copy, "--endpoint", server.endpoint, "--follow", "--poll", "1")
    wait_until(lambda: process.poll() is not None or (copy / "checkpoint-20").exists(), "the first checkpoints")
    add_checkpoint(run, 30, judge_template(tmp_path), 3.0)
    server.upload(bucket, run)
    wait_until(lambda: process.poll() is not None or (copy / "checkpoint-30").exists(), "the next checkpoint")
    os.kill(process.pid, signal.SIGINT)
    said = ended(process)
    assert "3 checkpoints copied" in said and "Traceback" not in said
