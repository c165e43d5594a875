"""Runs whose checkpoints were judged by hand, with read-outs by layer that follow from the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.findings.cka import gram
from shared.prompts.probes import read_probes
from shared.results import ResultStore
from shared.run import Run
from tests.making.judged_run import STEPS, judged_run

LAYERS = 6


def compared_run(
    path: Path, judges: Sequence[np.ndarray], losses: Sequence[float] | None = None, forms_at: int = 3
) -> Run:
    """A run as `judged_run` makes it; each score forms after layer `forms_at`, up to the last."""
    run = judged_run(path, judges, losses)
    for epoch in range(1, len(judges) + 1):
        add_readouts(run, epoch, forms_at)
    return run


def add_readouts(run: Run, epoch: int, forms_at: int = 3) -> None:
    """Give an epoch the tensors of `layers` and `evolution` that a comparison reads."""
    store, name = ResultStore(run.results), f"checkpoint-{epoch * STEPS}"
    progress = store.newest(name, "progress")
    assert progress is not None
    scores = store.tensors(progress)["scores"].astype(float)
    noise = np.random.default_rng(epoch).normal(0, 0.3, (len(scores), LAYERS + 1))
    share = np.clip((np.arange(LAYERS + 1) - forms_at) / (LAYERS - forms_at), 0, 1)
    lens = scores[:, None] * share + noise
    lens[:, -1] = scores
    _replace(store, name, "layers", {"lens": lens.astype(np.float32)})
    pooled = np.stack([np.random.default_rng(point).normal(0, 1, (len(scores), 8)) for point in range(LAYERS + 1)])
    pooled[:, :, 0] += 2 * lens.T
    _replace(store, name, "evolution", {"gram": gram(pooled)})


def _replace(store: ResultStore, checkpoint: str, analysis: str, tensors: dict[str, np.ndarray]) -> None:
    record, verdicts = store.newest(checkpoint, analysis), store.newest(checkpoint, "progress")
    assert record is not None and verdicts is not None
    store.remove(checkpoint, analysis, record.key)
    store.commit(record.model_copy(update={"probe_digest": verdicts.probe_digest}), tensors)


def rows_of(run: Run) -> dict[str, int]:
    """Text of every probe -> its row in the tensors of the run."""
    return {probe.text: row for row, probe in enumerate(read_probes(run.probes).probes)}
