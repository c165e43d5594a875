"""The process beside the supervisor: sends what is committed while it runs, and ends with whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from analyzer.tracking.beside import tracking_beside
from analyzer.tracking.options import TrackOptions
from shared.results import ResultStore
from shared.run import Run
from tests.analyzer.tracking.test_tensorboard import ECE, read
from tests.e2e.processes import is_alive
from tests.making.fake_run import make_fake_run
from tests.making.waiting import LIMIT_S, wait_until
from tests.making.webhook import KEY, webhook

ROOT = Path(__file__).parents[3]
STARTER = """
import os, sys
from analyzer.tracking.beside import tracking_beside
from analyzer.tracking.options import TrackOptions
with tracking_beside(TrackOptions.model_validate_json(sys.argv[1])) as process:
    print(process.pid, flush=True)
    sys.stdin.read()
"""


def steps(run: Run) -> list[int]:
    folder = run.tracked / "tensorboard"
    return [step for step, _ in read(folder)[ECE]] if list(folder.glob("events*")) else []


def test_what_is_committed_until_the_end_is_sent(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "runs" / "judge", epochs=1)
    later = make_fake_run(tmp_path / "more", epochs=8)
    with webhook() as hook:
        options = TrackOptions(targets=[tmp_path / "runs"], to=["tensorboard"], notify=hook.url, rescan_s=300)
        with tracking_beside(options) as process:
            wait_until(lambda: steps(run) == [120], "the first numbers")
            words = psutil.Process(process.pid).cmdline()
            store = ResultStore(run.results)
            for name in ("calibration", "evolution"):
                for record in ResultStore(later.results).history(name)[1:]:
                    store.commit(record)
        assert process.returncode == 0
        assert steps(run) == [120 * epoch for epoch in range(1, 9)]
        assert len(hook.came) == 1
    assert not any(KEY in word for word in words), "the address stands on no command line"


def test_it_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=1)
    options = TrackOptions(targets=[run.path], to=["tensorboard"], rescan_s=300)
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, options.model_dump_json()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    wait_until(lambda: steps(run), "the first numbers")
    starter.kill()
    starter.communicate()
    wait_until(lambda: not is_alive(pid), "the tracking process to end", LIMIT_S)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import analyzer.tracking.__main__, analyzer.tracking.rounds, analyzer.commands.analyse, sys\n"
        "heavy = set('torch transformers plotly jinja2 tensorboard apprise wandb mlflow trackio'.split())\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
