"""A whole run directory with made-up but realistic results, for tests of figures, pages and the dashboard.

Nothing here is measured: scores grow with the epoch, the middle layers learn to tell the classes apart, and the
attribution moves from filler words to the words that matter, so that every figure has something to show.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel

from shared.records import (
    Label,
)
from shared.results import ResultRecord, payload_of
from tests.making.fake_calibration import fake_calibration
from tests.making.fake_circuits import fake_circuits
from tests.making.fake_comparison import fake_comparison
from tests.making.fake_evolution import fake_evolution
from tests.making.fake_heads import fake_heads
from tests.making.fake_layers import fake_layers
from tests.making.fake_neurons import Tensors, fake_neurons
from tests.making.fake_progress import fake_progress
from tests.making.fake_samples import NOW, SAMPLES, fake_loss
from tests.making.fake_tokens import fake_tokens


def fake_record(
    analysis: str, payload: dict, summary: dict[str, float], step: int, epoch: float | None, layers: int
) -> ResultRecord:
    digest = hashlib.sha256(f"{step}".encode()).hexdigest()
    return ResultRecord(
        analysis=analysis,
        analysis_version=1,
        checkpoint=f"checkpoint-{step}",
        step=step,
        epoch=epoch,
        key=hashlib.sha256(f"{analysis}{step}".encode()).hexdigest()[:20],
        checkpoint_digest=digest,
        probe_digest=hashlib.sha256(b"probes").hexdigest(),
        judge={"family": "bert", "kind": "classifier", "layers": layers, "hidden": 384, "pooling": "mean"},
        analyzer_version="0.1.0",
        created_at=NOW + step,
        duration_s=2.5,
        warnings=[],
        summary=summary,
        payload=payload,
    )


def fake_records(
    epochs: int = 3,
    *,
    layers: int = 6,
    frozen: int = 3,
    steps_per_epoch: int = 120,
    seed: int = 0,
    samples: Sequence[tuple[str, Label, str]] = SAMPLES,
    advanced: bool = False,
) -> list[ResultRecord]:
    """The results of the basic suite, or of the advanced one, at the end of each epoch, by step."""
    shape = {"layers": layers, "frozen": frozen, "steps_per_epoch": steps_per_epoch, "seed": seed}
    return [record for record, _ in fake_results(epochs, **shape, samples=samples, advanced=advanced)]


def fake_results(
    epochs: int = 3,
    *,
    layers: int = 6,
    frozen: int = 3,
    steps_per_epoch: int = 120,
    seed: int = 0,
    samples: Sequence[tuple[str, Label, str]] = SAMPLES,
    advanced: bool = False,
) -> Iterator[tuple[ResultRecord, Tensors]]:
    """The same with the tensors of each result."""
    for epoch in range(1, epochs + 1):
        rng = np.random.default_rng([seed, epoch])
        learnt = 1 - math.exp(-1.1 * epoch / max(1.0, epochs / 4)) if epochs > 3 else epoch / (epochs + 0.3)
        step = epoch * steps_per_epoch
        found = _basic(learnt, layers, frozen, samples, rng, fake_loss(step, steps_per_epoch * epochs))
        if advanced:
            found += _advanced(learnt, layers, frozen, samples, seed, epoch)
        compared, grams = fake_evolution(
            epoch, layers, frozen, steps_per_epoch=steps_per_epoch, seed=seed, advanced=advanced
        )
        found.append(("evolution", compared, {"alerts": float(len(compared.alerts))}, grams))
        for name, result, summary, tensors in found:
            yield fake_record(name, payload_of(result), summary, step, float(epoch), layers), tensors


Found = tuple[str, BaseModel, dict[str, float], Tensors]
"""Analysis, result, summary, tensors."""


def _basic(
    learnt: float,
    layers: int,
    frozen: int,
    samples: Sequence[tuple[str, Label, str]],
    rng: np.random.Generator,
    loss: float,
) -> list[Found]:
    tokens = fake_tokens(samples, learnt, rng)
    layered = fake_layers(samples, learnt, layers, frozen, rng)
    compared = fake_comparison(learnt, layers, frozen, rng)
    progress, calibration = fake_progress(learnt, loss), fake_calibration(learnt)
    token_summary = {
        "gap_median": tokens.gap_median,
        "share_converged": tokens.share_converged,
        "comprehensiveness": tokens.faithfulness[0].comprehensiveness.value,
        "sufficiency": tokens.faithfulness[0].sufficiency.value,
        "shortcut_share": tokens.shortcut_share,
    }
    compared_summary = {
        "auroc_last": compared.points[-1].auroc.value,
        "control_p95_last": compared.points[-1].control_p95,
        "dprime_last": compared.points[-1].distance.value,
        "decision_auroc": compared.decision_auroc.value,
    }
    if compared.divergence_layer is not None:
        compared_summary["divergence_layer"] = float(compared.divergence_layer)
    calibrated = {} if calibration.reliability is None else {"ece": calibration.reliability.error.value}
    return [
        ("tokens", tokens, token_summary, {}),
        ("layers", layered, {"norm_last": 15.0}, {}),
        ("comparison", compared, compared_summary, {}),
        ("progress", progress, {f"probe_{name}": value.value for name, value in progress.probe.items()}, {}),
        ("calibration", calibration, calibrated, {}),
    ]


def _advanced(
    learnt: float, layers: int, frozen: int, samples: Sequence[tuple[str, Label, str]], seed: int, epoch: int
) -> list[Found]:
    neurons, neuron_tensors = fake_neurons(learnt, layers, frozen, samples, seed=seed, noise=epoch)
    heads, head_tensors = fake_heads(learnt, layers, frozen, samples, seed=seed, noise=epoch)
    return [
        ("neurons", neurons, {"significant": float(neurons.significant)}, neuron_tensors),
        ("heads", heads, {}, head_tensors),
        ("circuits", *_circuits(learnt, layers, frozen, seed, epoch)),
    ]


def _circuits(
    learnt: float, layers: int, frozen: int, seed: int, epoch: int
) -> tuple[BaseModel, dict[str, float], Tensors]:
    result, tensors = fake_circuits(learnt, layers, frozen, seed=seed, noise=epoch)
    return result, {"circuit_cpr": result.cpr or 0.0}, tensors
