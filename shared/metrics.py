"""metrics.jsonl: what was logged over a run."""

from __future__ import annotations

from pydantic import ValidationError

from shared.files import read_jsonl
from shared.records import MetricsLine
from shared.run import Run


def read_metrics(run: Run) -> list[MetricsLine]:
    """Every complete line; the one being written, or damaged, is left out. Empty for a foreign run."""
    lines = []
    for value in read_jsonl(run.metrics):
        try:
            lines.append(MetricsLine.model_validate(value))
        except ValidationError:
            continue
    return lines
