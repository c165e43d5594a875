"""When each checkpoint was saved and when it was analysed, by the times of files: cheap enough for hundreds."""

from __future__ import annotations

from pathlib import Path

from dashboard.reading.snapshot import CheckpointView, Snapshot
from shared.figures.run.timeline import Passage


def passages(snapshot: Snapshot) -> list[Passage]:
    """One a checkpoint, by step; analysed is one that has nothing missing, as far as the analyzer says."""
    return [Passage(view.label, _saved(snapshot, view), _analysed(view)) for view in snapshot.checkpoints]


def _saved(snapshot: Snapshot, view: CheckpointView) -> float | None:
    """By the trainer's commit file, else by the checkpoint's directory."""
    run = snapshot.run
    return _time(run.commits / f"{view.name}.json") or (
        _time(run.directory_of(view.name)) if view.on_disk else None
    )


def _analysed(view: CheckpointView) -> float | None:
    if not view.results or (view.row is not None and view.row.missing):
        return None
    return max(file.mtime_ns for file in view.results.values()) / 1e9


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
