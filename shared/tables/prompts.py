"""One row a probe prompt of a checkpoint: what it is, and how it is judged."""

from __future__ import annotations

from typing import Any

import numpy as np

from shared.stated_probability import stated_probability
from shared.tables.parts import CheckpointResults, Column, Columns, Table

_OF_PROBE = ("text", "response", "category", "language", "style", "source", "group", "pair", "display")


def _rows(results: CheckpointResults) -> Columns:
    tensors = results.tensors("progress") or results.tensors("calibration")
    if not {"scores", "labels"} <= tensors.keys():
        return {}
    scores, unsafe = tensors["scores"].astype(np.float64), tensors["labels"] == 1
    judged = np.isfinite(scores)
    found: dict[str, Any] = {
        "prompt": np.arange(len(scores)),
        "label": np.where(unsafe, "unsafe", "safe").tolist(),
        "score": scores,
        "probability": stated_probability(scores, _shift(results)),
        "predicted": [_side(score) if known else None for score, known in zip(scores, judged, strict=True)],
        "right": [bool((s > 0) == u) if k else None for s, u, k in zip(scores, unsafe, judged, strict=True)],
    }
    mass = results.tensors("calibration").get("answer_mass")
    if mass is not None and len(mass) == len(scores):
        found["answer_mass"] = mass
    if len(results.probes) == len(scores):
        found["prompt_id"] = [probe.id for probe in results.probes]
        found |= {name: [getattr(probe, name) for probe in results.probes] for name in _OF_PROBE}
    return found


def _side(score: float) -> str:
    return "unsafe" if score > 0 else "safe"


def _shift(results: CheckpointResults) -> float | None:
    """What makes a score the log-odds that the judge states; None for one that states none."""
    record = results.records.get("progress") or results.records.get("calibration")
    return record.judge.get("log_odds_shift", 0.0) if record is not None else None


PROMPTS = Table(
    "prompts",
    "a prompt of the probe set at a checkpoint",
    (
        Column("prompt", "integer", "Place in the probe set, from 0"),
        Column("prompt_id", "text", "Digest of the prompt; it and what describes the prompt are empty where the "
               "probe set is not there any more"),
        Column("text", "text", "The prompt"),
        Column("response", "text", "What was answered to it, for judges of a conversation"),
        Column("label", "text", "True label: safe or unsafe"),
        Column("predicted", "text", "The judge's verdict; empty where the prompt was left out"),
        Column("right", "truth", "Whether the two agree"),
        Column("score", "number", "logit(unsafe) - logit(safe), nats; positive means unsafe"),
        Column("probability", "number", "Of unsafe, as the judge states it, 0 to 1: sigmoid(score) before a "
               "threshold; empty for one that states none"),
        Column("answer_mass", "number", "Probability that a prompted judge's answers hold together, 0 to 1"),
        Column("category", "text", "Category, where known"),
        Column("language", "text", "ISO 639 code, where known"),
        Column("style", "text", "How it is put, where known"),
        Column("source", "text", "Where it comes from"),
        Column("group", "text", "Prompts of one group never end up in different splits"),
        Column("pair", "text", "Contrast pair that the two twins share"),
        Column("display", "truth", "Whether it is one of the display samples"),
    ),
    _rows,
)  # fmt: skip
