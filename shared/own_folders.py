"""Our own folders in a run, `_midwatch` and `training_visualizations`: nothing in them is reached through a link.

A run may come from anybody, and a symbolic link in place of a folder of ours would have us write and delete at its
target. So whoever makes, fills or deletes a directory there does it by these functions. What leads to our folder
(the run, `--out DIR`) is the user's choice and may be a link.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from pathlib import Path
from typing import IO, Literal

from shared.errors import LinkInTheWay
from shared.logs import entry

logger = logging.getLogger(__name__)

MIDWATCH, VISUALIZATIONS = "_midwatch", "training_visualizations"


def refuse_links(path: Path) -> None:
    """Raise LinkInTheWay when `path`, or a step to it from our own folder on, is a symbolic link."""
    for step in _steps(path):
        if step.is_symlink():
            raise LinkInTheWay(step)


def make_directory(path: Path) -> None:
    """Make a directory and its parents. Raises LinkInTheWay rather than reach it through a link, and OSError."""
    refuse_links(path)
    path.mkdir(parents=True, exist_ok=True)


def remove_directory(path: Path) -> None:
    """Delete a directory of ours with all that is in it; what cannot be deleted stays, for a later clean-up.

    Raises LinkInTheWay when a link stands in its place or on the way.
    """
    refuse_links(path)
    try:
        if os.open in os.supports_dir_fd:
            _remove_beneath(path)
        else:
            shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        cause = error.strerror or str(error)
        extra = entry("not_deleted", path=str(path), cause=cause)
        logger.warning("%s cannot be deleted: %s", path, cause, extra=extra)


def list_directory(path: Path) -> list[str]:
    """Names of all that is in a directory of ours; none when it is not there. Raises LinkInTheWay."""
    refuse_links(path)
    try:
        return sorted(entry.name for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def open_log(path: Path, mode: Literal["ab", "wb"]) -> IO[bytes]:
    """Open a log of ours to write. Raises LinkInTheWay when it, or a step to it, is a link, and OSError."""
    make_directory(path.parent)
    refuse_links(path)
    return path.open(mode)


def _steps(path: Path) -> list[Path]:
    """Our folder, and what is below it down to `path`; nothing for a path that is not in a folder of ours."""
    own = [depth for depth, part in enumerate(path.parts) if part in (MIDWATCH, VISUALIZATIONS)]
    return [Path(*path.parts[: depth + 1]) for depth in range(own[-1], len(path.parts))] if own else []


def _remove_beneath(path: Path) -> None:
    """Delete by descriptors, each opened below the last without following: no link can slip in between."""
    steps = _steps(path) or [path]
    folder = os.open(steps[0].parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in steps[:-1]:
            inner = os.open(step.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        if stat.S_ISDIR(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(path.name, dir_fd=folder)
    finally:
        os.close(folder)
