"""Which checkpoint was best on validation, by what its training logged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from analyzer.checkpoints.trainer_state import trainer_state
from analyzer.supervisor.schedule import Point
from analyzer.worker.logged_metrics import logged_metrics
from shared.metrics import read_metrics
from shared.records import MetricsLine
from shared.run import Run

JUDGED_BY = {"auc": 1, "f1": 1, "accuracy": 1, "loss": -1}
"""Validation metric -> whether more of it is better; the first that was logged chooses."""


class Best(NamedTuple):
    """The best checkpoint, and by what."""

    point: Point
    by: str


def best_checkpoint(run: Run, known: Sequence[Point]) -> Best | None:
    """What the newest trainer_state.json names as best, else by logged validation metrics; None without either."""
    in_order = sorted(known, key=lambda point: point.step)
    if not in_order:
        return None
    state = trainer_state(run.directory_of(in_order[-1].name))
    told = state.get("best_model_checkpoint")
    named = PurePath(told.replace("\\", "/")).name if isinstance(told, str) else ""
    for point in in_order:
        if point.name == named or (point.step == state.get("best_global_step") and point.step > 0):
            return Best(point, "its Trainer's choice")
    return _by_metric(in_order, list(read_metrics(run)) or logged_metrics(state))


def _by_metric(in_order: Sequence[Point], lines: Sequence[MetricsLine]) -> Best | None:
    """The checkpoint with the best value of the first metric that was logged on validation at its step."""
    at = {point.step: point for point in in_order}
    for metric, sign in JUDGED_BY.items():
        found = {
            line.step: line.values[metric]
            for line in lines
            if line.split == "val" and metric in line.values and line.step in at
        }
        if found:
            return Best(at[max(found, key=lambda step: (sign * found[step], -step))], f"validation {metric}")
    return None
