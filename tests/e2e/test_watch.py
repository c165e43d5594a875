"""Training in one process, analysis in another, and both of the analyzer's processes killed on the way."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from shared.results import ResultStore
from shared.views import suite_views
from tests.e2e.processes import is_alive, midwatch, results_of, started, status_of, worker_of
from tests.e2e.train_tiny import EPOCHS
from tests.e2e.train_tiny import main as train
from tests.making.commands_here import midwatch_here
from tests.making.runs import snapshot
from tests.making.waiting import LIMIT_S, wait_until

ANALYSES = {view.name for view in suite_views("basic")}
SAMPLES = ["0_safe", "1_safe", "2_unsafe", "3_unsafe"]


def test_kills_on_the_way_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    with started("tests.e2e.train_tiny", str(run), "--announced", log=log) as training:
        wait_until(lambda: (run / "run.json").exists(), "the training to begin")
        with started("midwatch", "watch", str(run), "--backoff", "0", log=log) as supervisor:
            wait_until(lambda: status_of(run).get("running"), "the first job")
            worker = worker_of(supervisor.pid)
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker_of(supervisor.pid) not in (None, worker), "another worker")
            wait_until(lambda: results_of(run), "a result")
            wait_until(lambda: status_of(run).get("running") or all_done(run), "a job")
            orphan = worker_of(supervisor.pid)
            supervisor.kill()
            supervisor.wait()
        assert orphan is not None
        wait_until(lambda: not is_alive(orphan), "the worker to follow its supervisor")
        assert training.wait(LIMIT_S) == 0, log.read_text()
    checkpoints = sorted(path for path in run.iterdir() if path.name.startswith("checkpoint-"))
    assert len(checkpoints) == EPOCHS
    before = {path.name: snapshot(path) for path in checkpoints}
    # a comparison that knew less of the earlier checkpoints is replaced
    first = {path: path.stat().st_mtime_ns for path in results_of(run) if path.parts[-3] != "evolution"}

    with started("midwatch", "watch", str(run), "--backoff", "0", log=log) as supervisor:
        wait_until(lambda: status_of(run).get("pid") == supervisor.pid and all_done(run), "the rest")
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(LIMIT_S) == 0, log.read_text()

    results = list(run.rglob("result.json"))
    counted = Counter((path.parts[-4], path.parts[-3]) for path in results)
    assert counted == Counter({(path.name, name): 1 for path in checkpoints for name in ANALYSES})
    assert {path: path.stat().st_mtime_ns for path in first} == first, "a result was written twice"
    assert {path.name: snapshot(path) for path in checkpoints} == before, "a checkpoint was touched"
    assert status_of(run)["state"] == "stopped"
    assert not list((run / "_midwatch" / "pins").glob("*")), "a pin was left behind"
    check_figures(run)
    check_frozen_layer(run)


def all_done(run: Path) -> bool:
    """Whether every checkpoint of the training is analysed."""
    rows = status_of(run).get("checkpoints", [])
    return len(rows) == EPOCHS and all(row["state"] == "done" for row in rows)


def check_figures(run: Path) -> None:
    """Every file that people open, for every epoch."""
    names = {"training_progress.html", "plotly.min.js", "pages.js"}
    for epoch in range(1, EPOCHS + 1):
        names |= {f"epoch_{epoch}_circuit_comparison.html", f"epoch_{epoch}_metrics.json"}
        names |= {f"epoch_{epoch}_sample_{s}_{kind}.html" for s in SAMPLES for kind in ("tokens", "layers")}
    assert names <= {path.name for path in (run / "training_visualizations").iterdir()}


def check_frozen_layer(run: Path) -> None:
    """The training froze embeddings and layer 0 without saying so in run.json: told from the tensors' bytes."""
    records = ResultStore(run / "_midwatch" / "results").history("layers")
    found = [(record.payload["frozen_boundary"], record.payload["frozen_from"]) for record in records]
    assert (1, "bytes") in found
    assert {boundary for boundary, origin in found if origin == "bytes"} == {1}


def test_a_run_of_plain_transformers(tmp_path: Path) -> None:
    """Journeys 3 and 4: no commit files, no run.json; `init`, then `analyze` what is asked for."""
    run = tmp_path / "run"
    train(run, announced=False)
    before = {path.name: snapshot(path) for path in run.glob("checkpoint-*")}
    described = midwatch_here("init", str(run), "--per-class", "6", "--max-length", "32")
    assert described.returncode == 0, described.stderr
    done = midwatch("analyze", str(run), "--epochs", "1,3-4", "--every", "2")
    assert done.returncode == 0, done.stderr
    store = ResultStore(run / "_midwatch" / "results")
    assert [record.label for record in store.history("tokens")] == ["epoch 1", "epoch 4"]
    assert store.history("progress")[-1].payload["metrics"]["train"]["loss"] > 0
    assert not any(record.order_unverified for record in store.history("tokens")), "Trainer keeps the order"
    assert {path.name: snapshot(path) for path in run.glob("checkpoint-*")} == before

    damaged = sorted(before, key=lambda name: int(name.partition("-")[2]))[1]
    weights = run / damaged / "model.safetensors"
    before_damage = weights.stat().st_mtime_ns
    os.truncate(weights, weights.stat().st_size - 100)
    os.utime(weights, ns=(before_damage, before_damage))  # as if the disk had lost the end of it
    rest = midwatch_here("analyze", str(run), "--epochs", "2,3", "--only", "progress")
    assert rest.returncode == 1
    last = rest.stderr.splitlines()[-1]
    assert last.startswith(f"midwatch: 1 analysed, 1 not. {damaged}: ")
    assert "[truncated]" in last
    assert store.newest(damaged, "progress") is None
