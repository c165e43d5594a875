"""A file that the user says is written last into each checkpoint (`--ready-marker`): any trainer can write one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzer.checkpoints.fingerprint import FileStat


def marker_problem(source: Path, marker: str, weights: Sequence[FileStat]) -> str:
    """Why a checkpoint does not count as complete yet, as one sentence; empty when its marker says that it is.

    Only a marker that is not older than the weights is believed. Raises OSError when the directory cannot be read.
    """
    name = source.name
    try:
        written_ns = (source / marker).stat().st_mtime_ns
    except FileNotFoundError:
        return f"{name} has no {marker} yet: it waits for that."
    if not weights:
        return f"{name} has {marker} but no weights, so that is not believed: it waits for a newer one."
    if late := [file.name for file in weights if file.mtime_ns > written_ns]:
        return f"{name}/{marker} is older than {late[0]}, so it is not believed: it waits for a newer one."
    return ""
