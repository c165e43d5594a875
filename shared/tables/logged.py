"""One row a logged number: metrics.jsonl in long form. It spans the run, so no checkpoint's results are read."""

from __future__ import annotations

from collections.abc import Iterable

from shared.records import MetricsLine
from shared.tables.parts import Column, Columns, from_rows

COLUMNS = (
    Column("step", "integer", "Optimizer step"),
    Column("epoch", "number", "Epoch; empty where unknown"),
    Column("split", "text", "train, val, test or contrast"),
    Column("name", "text", "The number, such as loss, accuracy or learning_rate"),
    Column("value", "number", "Its value; shares from 0 to 1, losses in nats"),
    Column("time", "number", "Unix time, seconds"),
)
NAME, ROW = "logged", "a number that the training logged"


def logged_columns(lines: Iterable[MetricsLine]) -> Columns:
    """All lines, in the file's order."""
    return from_rows(
        {
            "step": line.step,
            "epoch": line.epoch,
            "split": line.split,
            "name": name,
            "value": value,
            "time": line.time,
        }
        for line in lines
        for name, value in line.values.items()
    )
