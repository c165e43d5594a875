"""Numbers over a whole run, picked from the logged metrics and the results of every checkpoint.

Missing stays missing: a checkpoint without a result, or with no divergence layer, has no point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.errors import SchemaError
from shared.figures.run.grid import Curve
from shared.findings.comparison import ComparisonResult
from shared.findings.parts import Interval, typed_result
from shared.findings.tokens import TokensResult
from shared.records import MetricsLine
from shared.results import ResultRecord, checkpoint_label

MAX_POINTS = 120
"""A longer logged curve is averaged into this many bins of equal count, of a longer run every k-th checkpoint is
drawn: a page stays small. The table has every checkpoint."""


@dataclass
class RunResults:
    """The typed results of a run by checkpoint step; results that cannot be read are named, not hidden."""

    x_is_epoch: bool
    typed: dict[str, dict[int, Any]] = field(default_factory=dict)
    """Analysis -> step -> typed result."""
    epochs: dict[int, float | None] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    """Step -> the checkpoint's name."""

    def label(self, step: int) -> str:
        """What to call the checkpoint at a step."""
        return checkpoint_label(step, self.epochs[step], self.names.get(step, ""))

    def x(self, step: int, epoch: float | None) -> float:
        return float(epoch) if self.x_is_epoch and epoch is not None else float(step)

    def curve(self, analysis: str, value: Callable[[Any], Interval | float | None]) -> Curve:
        """`value` of every checkpoint's result; None leaves a gap, never 0."""
        found = [
            (self.x(step, self.epochs[step]), value(r)) for step, r in sorted(self.typed.get(analysis, {}).items())
        ]
        rows = [(x, *_triple(v)) for x, v in found]
        table = np.array(rows, dtype=np.float32).reshape(len(rows), 4)
        table = table[_drawn(len(rows))]
        if any(isinstance(v, Interval) for _, v in found):
            return Curve(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
        return Curve(table[:, 0], table[:, 1])


def _triple(value: Interval | float | None) -> tuple[float, float, float]:
    if isinstance(value, Interval):
        return value.value, value.low, value.high
    number = float("nan") if value is None else float(value)
    return number, float("nan"), float("nan")


def read_results(
    records: Sequence[ResultRecord], lines: Sequence[MetricsLine], models: dict[str, type]
) -> RunResults:
    """Read the payloads of the analyses in `models` (name -> result model) and of tokens and comparison."""
    known = {"tokens": TokensResult, "comparison": ComparisonResult} | models
    # the test split is scored once, after the training, and belongs to no epoch
    dated = [line.epoch is not None for line in lines if line.split != "test"]
    dated += [record.epoch is not None for record in records]
    run = RunResults(x_is_epoch=bool(dated) and all(dated))
    for record in records:
        model = known.get(record.analysis)
        if model is None:
            continue
        try:
            run.typed.setdefault(record.analysis, {})[record.step] = typed_result(without_samples(record), model)
            run.epochs[record.step] = record.epoch
            run.names[record.step] = record.checkpoint
        except SchemaError:
            run.unreadable.append(f"{record.analysis} of {record.checkpoint}")
    return run


def without_samples(record: ResultRecord) -> ResultRecord:
    """The record less its display samples and ROC: nobody looks at those of 500 epochs, and they are most of the
    reading."""
    left_out = {name: [] for name in ("samples", "roc") if record.payload.get(name)}
    return record.model_copy(update={"payload": record.payload | left_out}) if left_out else record


def logged_curve(run: RunResults, lines: Sequence[MetricsLine], split: str, name: str) -> Curve:
    """A logged metric; where metrics.jsonl has none, what each checkpoint's `progress` result kept of it."""
    points = [(run.x(line.step, line.epoch), line.values[name]) for line in lines if _has(line, split, name)]
    if not points:
        return run.curve("progress", lambda result: result.metrics.get(split, {}).get(name))
    points.sort(key=lambda point: point[0])
    return thinned(Curve(*np.array(points, dtype=np.float32).T))


def _has(line: MetricsLine, split: str, name: str) -> bool:
    return line.split == split and np.isfinite(line.values.get(name, np.nan))


def thinned(curve: Curve) -> Curve:
    """The curve averaged into at most MAX_POINTS bins of equal count."""
    if len(curve.x) <= MAX_POINTS:
        return curve
    parts = np.array_split(np.arange(len(curve.x)), MAX_POINTS)
    x, y = ([float(values[part].mean()) for part in parts] for values in (curve.x, curve.y))
    return Curve(np.array(x, np.float32), np.array(y, np.float32))


def _drawn(count: int) -> np.ndarray:
    """Which of `count` checkpoints are drawn: every k-th, counted back from the newest."""
    every = max(1, -(-count // MAX_POINTS))
    return np.arange(count - 1, -1, -every)[::-1]
