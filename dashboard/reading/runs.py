"""One row a run, from its newest judged checkpoint and the analyzer's status: cheap enough for many runs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dashboard.reading import cached
from shared.checkpoint_names import is_plain
from shared.checkpoint_places import in_order
from shared.errors import SchemaError
from shared.findings.progress import ProgressResult
from shared.findings.rates import rate
from shared.results import checkpoint_label
from shared.results_index import ResultFile, newest_result
from shared.run import Run
from shared.views.overview.verdict import with_interval

MISSING = "–"


@dataclass(frozen=True)
class RunRow:
    """A run as it stands now; every text may hold data."""

    name: str
    state: str
    """ "running", "idle", "gone", "no analyzer" """
    checkpoints: str
    """ "3 of 8 done" """
    newest: str
    """Label of the newest judged checkpoint."""
    fnr: str
    auc: str
    changed: float
    """Unix time of the newest change in its folder, seconds."""

    def holds(self, words: str) -> bool:
        """Whether name or state hold each of the words, whatever their case."""
        text = f"{self.name} {self.state}".lower()
        return all(word in text for word in words.lower().split())


def run_row(run: Run, name: str, now: float) -> RunRow:
    """The row; `now` is Unix time, seconds. Nothing here raises for what is damaged or gone."""
    status, problem = cached.reader(str(run.path), str(run.out)).status()
    state, count = "status unreadable" if problem else "no analyzer", MISSING
    if status is not None:
        state = "gone" if status.is_gone(now) else status.state
        count = f"{sum(not row.missing for row in status.checkpoints)} of {len(status.checkpoints)} done"
    file, label = _newest(run)
    found: ProgressResult | None = cached.typed(file, "progress")
    if found is None:
        return RunRow(name, state, count, label, MISSING, MISSING, _changed(run))
    counts = found.confusion
    unsafe = counts.get("true_positive", 0) + counts.get("false_negative", 0)
    fnr, auc = rate(found.probe.get("fnr"), unsafe), with_interval(found.probe.get("auc"))
    return RunRow(name, state, count, label, fnr, auc, _changed(run))


def _newest(run: Run) -> tuple[ResultFile | None, str]:
    """The `progress` result of the newest checkpoint that has one, and what to call it."""
    for name in reversed(in_order([name for name in _folders(str(run.results)) if is_plain(name)], run.places())):
        folder = f"{run.results}/{name}/progress"
        file = newest_result(folder, _folders(folder))
        if file is not None:
            try:
                record = cached.load(file)
            except (OSError, SchemaError):
                return file, name
            return file, checkpoint_label(record.step, record.epoch, name)
    return None, MISSING


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []


def _changed(run: Run) -> float:
    try:
        return run.path.stat().st_mtime
    except OSError:
        return 0.0
