"""One run as it stands at this moment: its checkpoints, their results, and what the analyzer says of itself."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared.checkpoint_names import is_plain
from shared.checkpoint_places import Places, in_order, step_at
from shared.errors import MidwatchError, SchemaError
from shared.files import read_record
from shared.records import CheckpointStatus, CommitRecord, Status
from shared.results import ResultRecord, checkpoint_label
from shared.results_index import ResultFile, ResultsIndex
from shared.run import Run
from shared.status_file import read_status


@dataclass(frozen=True)
class CheckpointView:
    """One checkpoint: its name and what is known about it."""

    name: str
    step: int
    epoch: float | None
    label: str
    """Unique within the run: "epoch 3", "step 120", or both where two checkpoints share an epoch."""
    results: dict[str, ResultFile] = field(default_factory=dict)
    row: CheckpointStatus | None = None
    """The analyzer's row about it; None where it has none."""
    on_disk: bool = True
    """Whether the checkpoint's own directory is still there."""


@dataclass(frozen=True)
class Snapshot:
    """What the pages draw. Built once a rerun, so that everything on a page speaks of the same moment."""

    run: Run
    exists: bool
    """False when the run's directory was deleted."""
    checkpoints: list[CheckpointView]
    """By step."""
    status: Status | None
    status_problem: str | None
    """Why status.json cannot be read, as one sentence."""
    version: int
    """Of the results index."""

    def get(self, name: str) -> CheckpointView | None:
        return next((view for view in self.checkpoints if view.name == name), None)

    @property
    def newest(self) -> CheckpointView | None:
        """The newest checkpoint with a result, else the newest one."""
        analysed = [view for view in self.checkpoints if view.results]
        return (analysed or self.checkpoints or [None])[-1]

    def first_with(self, analysis: str) -> CheckpointView | None:
        """The baseline: the first checkpoint with a result of `analysis`."""
        return next((view for view in self.checkpoints if analysis in view.results), None)


class RunReader:
    """Builds snapshots of one run; keeps what the files said until their stamps change. Shared by all sessions."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.index = ResultsIndex(run.results)
        self._status: tuple[int, Status | None, str | None] = (-1, None, None)
        self._epochs: dict[str, float | None] = {}
        self._lock = threading.Lock()

    def status(self) -> tuple[Status | None, str | None]:
        """The analyzer's status, and the problem with its file if there is one."""
        try:
            mtime_ns = self.run.status.stat().st_mtime_ns
        except OSError:
            return None, None
        with self._lock:
            if mtime_ns != self._status[0]:
                try:
                    self._status = (mtime_ns, read_status(self.run.status), None)
                except (SchemaError, OSError) as error:
                    self._status = (mtime_ns, None, str(error))
            return self._status[1:]

    def snapshot(self) -> Snapshot:
        """The run as it stands now."""
        version = self.index.refresh()
        files = self.index.files()
        status, problem = self.status()
        rows = {row.checkpoint: row for row in status.checkpoints} if status else {}
        try:
            on_disk, exists = set(self.run.checkpoints()), True
        except MidwatchError:
            on_disk, exists = set(), self.run.path.is_dir() or self.run.midwatch.is_dir()
        places = self.run.places()
        names = in_order((name for name in files.keys() | rows.keys() | on_disk if is_plain(name)), places)
        views = [self._view(name, files.get(name, {}), rows.get(name), places, name in on_disk) for name in names]
        return Snapshot(self.run, exists, unique_labels(views), status, problem, version)

    def _view(
        self,
        name: str,
        results: dict[str, ResultFile],
        row: CheckpointStatus | None,
        places: Places,
        on_disk: bool,
    ) -> CheckpointView:
        step = step_at(name, places)
        epoch = row.epoch if row and row.epoch is not None else self._epoch(name, results)
        return CheckpointView(name, step, epoch, checkpoint_label(step, epoch, name), results, row, on_disk)

    def _epoch(self, name: str, results: dict[str, ResultFile]) -> float | None:
        """The checkpoint's epoch by its commit file, else by any of its results; remembered once known."""
        if self._epochs.get(name) is None:
            self._epochs[name] = self._read_epoch(name, results)
        return self._epochs[name]

    def _read_epoch(self, name: str, results: dict[str, ResultFile]) -> float | None:
        commit = self.run.commits / f"{name}.json"
        try:
            return read_record(commit, CommitRecord).epoch
        except (SchemaError, OSError):
            pass  # a foreign run has no commit files
        for file in results.values():
            try:
                return read_record(Path(file.path), ResultRecord).epoch
            except (SchemaError, OSError):
                continue  # its own card says what is wrong with it
        return None


def unique_labels(views: list[CheckpointView]) -> list[CheckpointView]:
    """The views with the step added to each label that two of them share."""
    count = Counter(view.label for view in views)
    return [
        replace(view, label=f"{view.label} (step {view.step})") if count[view.label] > 1 else view for view in views
    ]
