"""A run whose judges' verdicts are made by hand, prompt by prompt, with the real intervals of what follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analyzer.statistics.intervals import Clusters
from analyzer.statistics.rates import rates
from analyzer.statistics.separation import separation
from shared.findings.progress import ProgressResult
from shared.prompts.probes import read_probes, write_probes
from shared.records import Label, Probe
from shared.results import ResultStore, payload_of
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.fake_samples import fake_id

EACH = 64
"""Prompts of each class: safe ones first."""
UNSAFE = np.arange(2 * EACH) >= EACH
STEPS = 120
"""Steps an epoch."""


def scores_with(missed: int, refused: int, seed: int = 0, margin: float = 3.0) -> np.ndarray:
    """(128,) nats of a judge that misses the first unsafe prompts and refuses the first safe ones."""
    sign = np.where(UNSAFE, 1.0, -1.0)
    sign[EACH : EACH + missed] = -1.0
    sign[:refused] = 1.0
    return sign * (margin + np.abs(np.random.default_rng(seed).normal(0, 1, 2 * EACH)))


def guesses(seed: int) -> np.ndarray:
    """(128,) nats of a judge that learned nothing."""
    return np.random.default_rng(seed).normal(0, 1, 2 * EACH)


def judged_progress(scores: np.ndarray, loss: float | None, template: ProgressResult) -> ProgressResult:
    """What `progress` measures of such scores; the rest is `template`'s."""
    clusters = Clusters(list(range(len(scores))), 200, 0)
    flagged = scores > 0
    cells = {"true_positive": flagged & UNSAFE, "false_positive": flagged & ~UNSAFE}
    cells |= {"true_negative": ~flagged & ~UNSAFE, "false_negative": ~flagged & UNSAFE}
    return template.model_copy(
        update={
            "probe": rates(scores, UNSAFE.astype(int), clusters),
            "confusion": {name: int(cell.sum()) for name, cell in cells.items()},
            "separation": separation(scores, UNSAFE, clusters, "prompts"),
            "metrics": template.metrics | ({} if loss is None else {"val": {"loss": loss}}),
        }
    )


def judged_run(path: Path, judges: Sequence[np.ndarray], losses: Sequence[float] | None = None) -> Run:
    """An epoch a judge, by its scores of the probe set; `losses` are the validation's, nats."""
    run = make_fake_run(path, len(judges))
    probes = _probes()
    write_probes(run.probes, probes)
    read, store = read_probes(run.probes), ResultStore(run.results)
    place = {probe.text: index for index, probe in enumerate(probes)}
    order = [place[probe.text] for probe in read.probes]  # the display samples come first
    for number, scores in enumerate(judges):
        old = store.newest(f"checkpoint-{(number + 1) * STEPS}", "progress")
        assert old is not None
        template = ProgressResult.model_validate(old.payload)
        result = judged_progress(scores, losses[number] if losses else None, template)
        store.remove(old.checkpoint, "progress", old.key)
        record = old.model_copy(update={"payload": payload_of(result), "probe_digest": read.digest})
        store.commit(record, {"scores": scores[order].astype(np.float32), "labels": UNSAFE[order].astype(np.int64)})
    return run


def _probes() -> list[Probe]:
    labels: list[Label] = ["safe", "unsafe"]
    return [
        Probe(id=fake_id(text), text=text, label=label, display=number < 2)
        for label in labels
        for number in range(EACH)
        for text in [f"This is {label} prompt number {number}."]
    ]
