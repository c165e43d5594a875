"""Reads the numbers of committed results, each once: what `epoch_{N}_metrics.json` holds of an analysis, and the
summary of those of which it holds nothing. What the training logged itself (`train_`, `val_`, ...) is not ours to
send.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, get_args

from analyzer.jobs.result_index import read_without_payload
from analyzer.tracking.tracker import Numbers, plain
from shared.errors import SchemaError
from shared.files import read_record
from shared.pages.metrics_json import IN_METRICS, analysis_metrics
from shared.records import MetricsLine
from shared.results import ResultRecord
from shared.results_index import ResultFile

LOGGED = tuple(f"{split}_" for split in get_args(MetricsLine.model_fields["split"].annotation))


class Found(NamedTuple):
    """The numbers of one result."""

    step: int
    epoch: float | None
    created_at: float
    values: dict[str, float]


def key_of(file: ResultFile) -> str:
    """Key of a committed result: the name of its directory."""
    return Path(file.path).parent.name


class Reader:
    """Remembers what it has read: a run's results are many, and none of them changes."""

    def __init__(self) -> None:
        self.faults: dict[str, str] = {}
        """Path of a result that cannot be read -> why."""
        self._found: dict[ResultFile, Found | None] = {}

    def readable(self, files: Mapping[str, Mapping[str, ResultFile]]) -> dict[str, dict[str, ResultFile]]:
        """Of these (checkpoint -> analysis -> file) those that can be read."""
        kept = {name: {a: file for a, file in each.items() if self._read(a, file)} for name, each in files.items()}
        return {name: each for name, each in kept.items() if each}

    def numbers(self, checkpoint: str, files: Mapping[str, ResultFile]) -> Numbers:
        """What these readable results (at least one) say of a checkpoint."""
        found = {analysis: each for analysis, file in sorted(files.items()) if (each := self._read(analysis, file))}
        values = {
            plain(f"{analysis}/{name}"): value
            for analysis, each in found.items()
            for name, value in each.values.items()
        }
        newest = max(found.values(), key=lambda each: each.created_at)
        return Numbers(checkpoint, newest.step, newest.epoch, newest.created_at, values)

    def _read(self, analysis: str, file: ResultFile) -> Found | None:
        if file not in self._found:
            try:
                self._found[file] = read_numbers(analysis, Path(file.path))
            except (OSError, SchemaError) as error:
                self.faults[file.path] = str(error)
                self._found[file] = None
        return self._found[file]


def read_numbers(analysis: str, path: Path) -> Found:
    """The numbers of one result. Raises OSError, or SchemaError where it is damaged."""
    whole = analysis in IN_METRICS
    record = read_record(path, ResultRecord) if whole else read_without_payload(path)
    told = analysis_metrics(record) if whole else record.summary
    values = {
        name: float(value)
        for name, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    ours = {name: value for name, value in values.items() if not name.startswith(LOGGED)}
    return Found(record.step, record.epoch, record.created_at, ours)
