"""The trackers that bring too much for every developer, each with its own reader, where they are installed."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.results import ResultStore
from shared.run import Run
from tests.e2e.processes import ENVIRONMENT
from tests.making.fake_run import make_fake_run

ROOT = Path(__file__).parents[3]
ECE = "midwatch/calibration/ece"
Points = set[tuple[int, float]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_fake_run(tmp_path / "judge", epochs=3)


def send(run: Run, to: str, **environment: str) -> None:
    """The command, in a process of its own, as these libraries keep much in theirs."""
    done = subprocess.run(
        [sys.executable, "-m", "midwatch", "track", str(run.path), "--to", to],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=run.path.parent,
        env=ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, done.stdout


def send_late(run: Run, to: str, **environment: str) -> Points:
    """The newest two checkpoints first, the first one after them; then nothing new. Returns what was sent."""
    store = ResultStore(run.results)
    (run.results / "checkpoint-120").rename(run.path / "aside")
    send(run, to, **environment)
    (run.path / "aside").rename(run.results / "checkpoint-120")
    send(run, to, **environment)
    send(run, to, **environment)
    records = store.history("calibration")
    return {(record.step, record.payload["reliability"]["error"]["value"]) for record in records}


def test_wandb_has_every_step_on_our_own_axis(run: Run) -> None:
    pytest.importorskip("wandb")
    sent = send_late(run, "wandb", WANDB_MODE="offline")
    rows, axes, ids = wandb_rows(run)
    assert {(int(row["midwatch/step"]), row[ECE]) for row in rows} == sent and len(rows) == 3
    assert axes == {"midwatch/*": "midwatch/step"}
    assert len(ids) == 1, "one run, however often it is opened"


def wandb_rows(run: Run) -> tuple[list[dict[str, float]], dict[str, str], set[str]]:
    """Of the offline files: the rows, which metric has which axis, and the runs' ids."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows, axes, ids = [], {}, set()
    for path in run.tracked.rglob("*.wandb"):
        for data in log_records(path.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                rows.append({each.key or "/".join(each.nested_key): json.loads(each.value_json) for each in items})
            elif record.WhichOneof("record_type") == "metric" and record.metric.step_metric:
                axes[record.metric.glob_name or record.metric.name] = record.metric.step_metric
            elif record.WhichOneof("record_type") == "run":
                ids.add(record.run.run_id)
    return rows, axes, ids


def log_records(data: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log: blocks of 32 KiB, each chunk with its checksum, length and kind (1 a whole
    record, 2 to 4 its first, middle and last part); W&B puts 7 bytes in front, which count as the first block's."""
    place, record = 7, b""
    while place + 7 <= len(data):
        if 32_768 - place % 32_768 < 7:
            place += 32_768 - place % 32_768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def test_mlflow_keeps_late_steps(run: Run) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    sent = send_late(run, "mlflow")
    with sqlite3.connect(run.tracked / "mlflow" / "mlflow.db") as database:
        found = database.execute("SELECT step, value, run_uuid FROM metrics WHERE key = ?", [ECE]).fetchall()
        states = database.execute("SELECT status FROM runs").fetchall()
    assert sorted((step, value) for step, value, _ in found) == sorted(sent)
    assert states == [("FINISHED",)], "one run, however often it is opened"


def test_mlflow_that_is_away_is_one_sentence(run: Run) -> None:
    pytest.importorskip("mlflow")
    environment = {"MLFLOW_TRACKING_URI": "http://me:s3cret@127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with pytest.raises(AssertionError, match="midwatch: MLflow refuses: ") as caught:
        send(run, "mlflow", **environment)
    assert "s3cret" not in str(caught.value) and "Traceback" not in str(caught.value)


def test_trackio_keeps_late_steps(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    sent = send_late(run, "trackio", TRACKIO_DIR=str(tmp_path / "trackio"))
    with sqlite3.connect(tmp_path / "trackio" / "midwatch.db") as database:
        rows = database.execute("SELECT step, metrics, run_name FROM metrics").fetchall()
    assert sorted((step, json.loads(metrics)[ECE]) for step, metrics, _ in rows) == sorted(sent)
    assert len({name for _, _, name in rows}) == 1
