"""What writers that were killed left beside our files: found by the names that only we give, and old enough.

Half-made pins and results are collected where those are kept (`PinStore.collect`, `ResultStore.sweep`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from shared.own_folders import BY_DESCRIPTOR, refuse_links
from shared.run import Run

LEFT = re.compile(
    r"\.[^/]+\.[a-z0-9_]{8}\.tmp|\.(?:writable|trial)\.[0-9]+|\.lease\.[0-9a-f]{32}|\.lock\.[0-9a-f]{16}"
)
"""Names of files that are written aside and renamed or removed at once, and of locks, touched with each use."""
OLD_S = 600.0
"""Seconds after which such a file is nobody's any more: writing one takes milliseconds."""
KEPT_ELSEWHERE = ("results", "pins", "commits")
"""Folders that somebody else clears, or that are the trainer's."""


def remove_litter(run: Run, now: float) -> None:
    """Remove what killed writers left in our folders of a run; what refuses stays. Raises LinkInTheWay."""
    if not BY_DESCRIPTOR:
        return
    for top in (run.midwatch, run.visualizations):
        refuse_links(top)
        with suppress(FileNotFoundError):  # nothing was drawn yet
            for folder, names in _folders(top):
                for name in filter(LEFT.fullmatch, names):
                    _remove(folder, name, now)


def _folders(top: Path) -> Iterator[tuple[int, list[str]]]:
    """Descriptor and file names of each folder; no link is followed."""
    for _, folders, names, folder in os.fwalk(top):
        folders[:] = [name for name in folders if name not in KEPT_ELSEWHERE]
        yield folder, names


def _remove(folder: int, name: str, now: float) -> None:
    try:
        if now - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > OLD_S:
            os.unlink(name, dir_fd=folder)
    except OSError:  # gone just now, or a disk that refuses: there is another time
        return
