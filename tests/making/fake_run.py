"""A whole run directory with made-up but realistic results, for tests of figures, pages and the dashboard."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.files import append_jsonl, write_record
from shared.records import (
    CheckpointState,
    CheckpointStatus,
    CommitRecord,
    JudgeRecord,
    Label,
    MetricsLine,
    Probe,
    RunRecord,
    Status,
)
from shared.results import ResultStore
from shared.run import Run
from tests.making.fake_progress import fake_progress
from tests.making.fake_samples import NOW, SAMPLES, fake_id, fake_loss
from tests.making.fakes import fake_results


def fake_metrics(epochs: int, steps_per_epoch: int = 120) -> list[MetricsLine]:
    """Training loss every tenth of an epoch, evaluation at its end."""
    rng = np.random.default_rng(7)
    total, every = epochs * steps_per_epoch, max(1, steps_per_epoch // 10)
    lines = []
    for step in range(every, total + 1, every):
        epoch = step / steps_per_epoch
        values = {
            "loss": fake_loss(step, total) + float(rng.normal(0, 0.02)),
            "learning_rate": 5e-5 * (1 - step / (total + 1)),
            "grad_norm": 1.5,
        }
        lines.append(MetricsLine(step=step, epoch=epoch, split="train", values=values, time=NOW + step))
        if step % steps_per_epoch == 0:
            learnt = 1 - math.exp(-2.2 * epoch / epochs)
            good = 0.62 + 0.33 * learnt
            lines += [
                MetricsLine(
                    step=step,
                    epoch=epoch,
                    split="val",
                    values={
                        "loss": fake_loss(step, total) + 0.05 + 0.04 * (epoch / epochs) ** 4,
                        "accuracy": good,
                        "precision": good + 0.01,
                        "recall": good - 0.02,
                        "f1": good - 0.005,
                        "auc": good + 0.03,
                        "fnr": 1 - good + 0.02,
                        "fpr": 1 - good - 0.01,
                    },
                    time=NOW + step,
                ),
                MetricsLine(
                    step=step,
                    epoch=epoch,
                    split="contrast",
                    values={"accuracy": 0.4 + 0.45 * learnt},
                    time=NOW + step,
                ),
            ]
    return lines


def fake_probes(samples: Sequence[tuple[str, Label, str]] = SAMPLES) -> list[Probe]:
    """The display samples and a few contrast pairs."""
    probes = [
        Probe(id=fake_id(text), text=text, label=label, category=category, display=True)
        for text, label, category in samples
    ]
    for number in range(12):
        twins: tuple[tuple[Label, str], ...] = (("safe", "lock"), ("unsafe", "break into"))
        for label, verb in twins:
            text = f"How do I {verb} the front door of house number {number}?"
            probes.append(
                Probe(
                    id=fake_id(text), text=text, label=label, category="home", pair=f"p{number}", group=f"p{number}"
                )
            )
    return probes


def make_fake_run(
    path: Path | str,
    epochs: int = 3,
    *,
    layers: int = 6,
    frozen: int = 3,
    steps_per_epoch: int = 120,
    seed: int = 0,
    samples: Sequence[tuple[str, Label, str]] = SAMPLES,
    advanced: bool = False,
) -> Run:
    """A run directory with `epochs` checkpoints (empty directories) and their committed results.

    `advanced`: of the advanced suite, with tensors; else of the basic one.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    run = Run.at(path)
    progress = fake_progress(1.0, 0.1)
    write_record(
        path / "run.json",
        RunRecord(
            judge=JudgeRecord(),
            model="all-MiniLM-L6-v2",
            frozen_layers=frozen,
            epochs=float(epochs),
            steps=epochs * steps_per_epoch,
            baselines=progress.baselines,
            created_at=NOW,
        ),
        durable=False,
    )
    lines = [probe.model_dump(mode="json") for probe in fake_probes(samples)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (path / "probes.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    for line in fake_metrics(epochs, steps_per_epoch):
        append_jsonl(path / "metrics.jsonl", line.model_dump(mode="json"))
    store = ResultStore(run.results)
    shape = {"layers": layers, "frozen": frozen, "steps_per_epoch": steps_per_epoch, "seed": seed}
    for record, tensors in fake_results(epochs, **shape, samples=samples, advanced=advanced):
        store.commit(record, tensors)
    for epoch in range(1, epochs + 1):
        step = epoch * steps_per_epoch
        (path / f"checkpoint-{step}").mkdir(exist_ok=True)
        commit = CommitRecord(checkpoint=f"checkpoint-{step}", step=step, epoch=float(epoch), written_at=NOW + step)
        write_record(run.commits / f"checkpoint-{step}.json", commit, durable=False)
    write_record(run.status, fake_status(epochs, steps_per_epoch, advanced=advanced), durable=False)
    return run


BASIC = ["tokens", "layers", "comparison", "progress", "calibration", "evolution"]

ADVANCED = [*BASIC[:-1], "neurons", "heads", "circuits", "evolution"]
"""Names of the analyses that have fakes, by suite, in order."""


def fake_status(
    epochs: int = 3, steps_per_epoch: int = 120, heartbeat_at: float = NOW, *, advanced: bool = False
) -> Status:
    """An idle analyzer that has done everything."""
    names = ADVANCED if advanced else BASIC
    return Status(
        state="idle",
        heartbeat_at=heartbeat_at,
        pid=1,
        host="host",
        started_at=NOW,
        version="0.1.0",
        suite="advanced" if advanced else "basic",
        analyses=names,
        checkpoints=[
            CheckpointStatus(
                checkpoint=f"checkpoint-{epoch * steps_per_epoch}",
                step=epoch * steps_per_epoch,
                epoch=float(epoch),
                state=CheckpointState.DONE,
                done=names,
            )
            for epoch in range(1, epochs + 1)
        ],
    )
