"""How far a run and its analysis are, read from the run's files alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.checkpoint_names import step_of
from shared.errors import SchemaError
from shared.files import read_record
from shared.metrics import read_metrics
from shared.records import CheckpointState, CheckpointStatus, MetricsLine, RunRecord, Status
from shared.results import checkpoint_label
from shared.run import Run
from shared.status_file import read_status

SETTLED = (
    CheckpointState.DONE,
    CheckpointState.SKIPPED,
    CheckpointState.QUARANTINED,
    CheckpointState.REJECTED,
    CheckpointState.GONE,
)
"""States in which the analyzer does nothing more with a checkpoint by itself."""

FAILED = (CheckpointState.QUARANTINED, CheckpointState.REJECTED)


@dataclass(frozen=True)
class Row:
    """One checkpoint: what the judge reached there, and what the analyzer made of it."""

    checkpoint: str
    label: str
    values: dict[str, dict[str, float]]
    """Split -> name -> value, as logged at this step."""
    status: CheckpointStatus | None


@dataclass(frozen=True)
class Progress:
    """A run at one moment."""

    record: RunRecord | None = None
    step: int = 0
    epoch: float = 0.0
    loss: float | None = None
    """Newest training loss, nats."""
    rows: list[Row] = field(default_factory=list)
    """By step."""
    status: Status | None = None

    @property
    def settled(self) -> bool:
        """Whether the analyzer is through with every checkpoint that exists."""
        return all(row.status is not None and row.status.state in SETTLED for row in self.rows)

    @property
    def analysed(self) -> int:
        return sum(row.status is not None and row.status.state is CheckpointState.DONE for row in self.rows)

    @property
    def failed(self) -> list[CheckpointStatus]:
        return [row.status for row in self.rows if row.status is not None and row.status.state in FAILED]


def read_progress(run: Run, since: float = 0.0) -> Progress:
    """The run now; an analyzer's status from before `since` (Unix time, seconds) is somebody else's."""
    lines = read_metrics(run)
    losses = [line.values["loss"] for line in lines if line.split == "train" and "loss" in line.values]
    status = _record_or_none(run, since)
    known = {entry.checkpoint: entry for entry in status.checkpoints} if status else {}
    last = lines[-1] if lines else None
    return Progress(
        record=_run_record(run),
        step=last.step if last else 0,
        epoch=(last.epoch or 0.0) if last else 0.0,
        loss=losses[-1] if losses else None,
        rows=[_row(name, lines, known.get(name)) for name in run.checkpoints()],
        status=status,
    )


def _row(name: str, lines: list[MetricsLine], status: CheckpointStatus | None) -> Row:
    step = step_of(name) or 0
    here = [line for line in lines if line.step == step]
    epochs = [line.epoch for line in here if line.epoch is not None]
    values: dict[str, dict[str, float]] = {}
    for line in here:
        values.setdefault(line.split, {}).update(line.values)
    return Row(name, checkpoint_label(step, epochs[-1] if epochs else None, name), values, status)


def _run_record(run: Run) -> RunRecord | None:
    try:
        return read_record(run.record, RunRecord)
    except (FileNotFoundError, SchemaError):
        return None


def _record_or_none(run: Run, since: float) -> Status | None:
    try:
        status = read_status(run.status)
    except (FileNotFoundError, SchemaError):
        return None
    return status if status.started_at >= since else None
