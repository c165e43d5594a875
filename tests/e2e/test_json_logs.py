"""`--log-format json`: every line on stderr, of both processes, is one object; together they tell the whole way."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from analyzer.jobs.messages import WorkerOptions
from shared.processes import python_command
from shared.views import suite_views
from tests.e2e.processes import ENVIRONMENT, midwatch
from tests.making.runs import SAFE, UNSAFE, add_checkpoint, describe, judge_template

ANALYSES = {view.name for view in suite_views("basic")}


def lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert all({"time", "level", "process", "event", "message"} <= line.keys() for line in found)
    return found


def test_a_whole_analysis(tmp_path: Path) -> None:
    """Two sound checkpoints and one that is cut off."""
    run, template = describe(tmp_path / "run"), judge_template(tmp_path)
    for step in (10, 20, 30):
        add_checkpoint(run, step, template, step / 10)
    weights = run / "checkpoint-30" / "model.safetensors"
    before = weights.stat()
    os.truncate(weights, before.st_size - 100)
    (run / "_midwatch" / "commits" / "checkpoint-30.json").unlink()  # the trainer's word was about other bytes
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = midwatch("analyze", str(run), "--device", "cpu", "--log-format", "json")
    found = lines(done.stderr)
    told = defaultdict(list)
    for line in found:
        told[line.get("checkpoint")].append(line)
    for name in ("checkpoint-10", "checkpoint-20"):
        started, *committed, finished = told[name]
        assert (started["event"], started["run"], started["analyses"]) == ("started", "run", len(ANALYSES))
        assert {line["event"] for line in committed} == {"committed"}
        assert {line["analysis"] for line in committed} == ANALYSES
        assert finished["event"] == "finished"
        assert all(line["seconds"] > 0 for line in committed)
        assert sum(line["seconds"] for line in committed) < finished["seconds"]
    assert not {line["event"] for line in told["checkpoint-30"]} & {"started", "committed", "finished"}
    assert done.returncode == found[-1]["exit_code"] == 1
    assert found[-1]["event"] == "ended"
    assert "[truncated]" in found[-1]["cause"]
    assert not [text for text in (*SAFE, *UNSAFE) if text in done.stderr]
    assert done.stdout == f"run: figures in {run}/training_visualizations\n"


@pytest.mark.slow
def test_a_worker_that_fails_as_a_whole() -> None:
    """What ends the worker is one line, too."""
    options = WorkerOptions(device="cpu", log_format="json").model_dump_json()
    command = [*python_command("analyzer.worker"), options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT) as worker:
        assert worker.stdin is not None and worker.stderr is not None
        worker.stdin.write('{"id": 1}\n')
        worker.stdin.flush()  # and not closed: its end would be the worker's
        found = lines(worker.stderr.read())
    assert [(line["process"], line["event"], line["level"]) for line in found] == [
        ("worker", "crashed", "critical")
    ]
    assert "Traceback" in found[0]["exception"]
