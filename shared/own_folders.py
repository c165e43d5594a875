"""Our own folders in a run, `_midwatch` and `training_visualizations`: nothing in them is reached through a link.

A run may come from anybody, and a symbolic link in place of a folder of ours would have us read, write and delete
at its target. So whoever makes, fills, reads or deletes something there does it by these functions. Most open each
folder below the last one without following, so that no link can slip in between a look and the act; `refuse_links`
alone only looks, and who then opens by the path (`append_jsonl`, the lease, arrays of results) follows a link that
is put there in between. What leads to our folder (the run, `--out DIR`) is the user's choice and may be a link.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

from shared.errors import LinkInTheWay
from shared.logs import entry

logger = logging.getLogger(__name__)

MIDWATCH, VISUALIZATIONS = "_midwatch", "training_visualizations"
BY_DESCRIPTOR = {os.open, os.mkdir, os.rename, os.unlink, os.stat} <= os.supports_dir_fd
"""Whether this system opens what is in a directory that is open already; Windows doesn't."""
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def refuse_links(path: Path) -> None:
    """Raise LinkInTheWay when `path`, or a step to it from our own folder on, is a symbolic link."""
    for step in own_steps(path):
        if step.is_symlink():
            raise LinkInTheWay(step)


def make_directory(path: Path) -> None:
    """Make a directory and its parents. Raises LinkInTheWay rather than reach it through a link, and OSError."""
    steps = own_steps(path)
    if not steps or not BY_DESCRIPTOR:
        refuse_links(path)
        path.mkdir(parents=True, exist_ok=True)
        return
    steps[0].parent.mkdir(parents=True, exist_ok=True)
    with folder_of(path, make=True) as folder:
        os.close(_inner(folder, path, make=True))


@contextmanager
def folder_of(path: Path, *, make: bool = False) -> Iterator[int]:
    """Descriptor of the directory that `path` lies in. Raises LinkInTheWay, and OSError where there is none.

    `make` makes those of ours that are missing.
    """
    steps = own_steps(path) or [path]
    folder = os.open(steps[0].parent, FOLDER)
    try:
        for step in steps[:-1]:
            inner = _inner(folder, step, make=make)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def open_beneath(path: Path, flags: int, mode: int = 0o666) -> int:
    """Descriptor of a file; of ours through no link, nor through one in its own place.

    Raises LinkInTheWay, and OSError as `os.open` does.
    """
    if not own_steps(path):
        return os.open(path, flags, mode)
    if not BY_DESCRIPTOR:
        refuse_links(path)
        return os.open(path, flags, mode)
    with folder_of(path) as folder:
        try:
            return os.open(path.name, flags | NO_FOLLOW, mode, dir_fd=folder)
        except OSError as error:
            raise _told(error, path, folder) from None


def remove_directory(path: Path) -> None:
    """Delete a directory of ours with all that is in it; what cannot be deleted stays, for a later clean-up.

    Raises LinkInTheWay when a link stands in its place or on the way.
    """
    refuse_links(path)
    try:
        if BY_DESCRIPTOR:
            _remove_beneath(path)
        else:
            shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        cause = error.strerror or str(error)
        extra = entry("not_deleted", path=str(path), cause=cause)
        logger.warning("%s cannot be deleted: %s", path, cause, extra=extra)


def take_away(path: Path) -> None:
    """Delete a directory of ours that others read or rename: it loses its name first, so nobody meets half of it.

    What a kill leaves is called `.removed.` and eight characters. Raises LinkInTheWay, and OSError where it cannot
    be renamed.
    """
    refuse_links(path)
    aside = path.with_name(f".removed.{uuid.uuid4().hex[:8]}")
    try:
        path.lstat()  # a read-only disk refuses a rename before it looks whether there is anything
        path.rename(aside)
    except FileNotFoundError:
        return
    remove_directory(aside)


def list_directory(path: Path) -> list[str]:
    """Names of all that is in a directory of ours; none when it is not there. Raises LinkInTheWay."""
    refuse_links(path)
    try:
        return sorted(entry.name for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def open_log(path: Path, mode: Literal["ab", "wb"]) -> IO[bytes]:
    """Open a log of ours to write.

    Raises LinkInTheWay when it, or a step to it, is a link, also a hard link to what lies elsewhere, and OSError.
    """
    make_directory(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | (os.O_APPEND if mode == "ab" else 0)
    descriptor = open_beneath(path, flags, 0o644)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise LinkInTheWay(path, "no regular file")
        if found.st_nlink > 1:
            raise LinkInTheWay(path, "a hard link to a file that lies elsewhere, too")
        if mode == "wb":
            os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise


def own_steps(path: Path) -> list[Path]:
    """Our folder, and what is below it down to `path`; nothing for a path that is not in a folder of ours."""
    return [*_own_steps(path)]


@lru_cache(maxsize=2**13)
def _own_steps(path: Path) -> tuple[Path, ...]:
    """`own_steps`, which each look at a run needs hundreds of times for the same files."""
    own = [depth for depth, part in enumerate(path.parts) if part in (MIDWATCH, VISUALIZATIONS)]
    return tuple(Path(*path.parts[: depth + 1]) for depth in range(own[-1], len(path.parts))) if own else ()


def _inner(folder: int, step: Path, *, make: bool) -> int:
    """The directory `step`, opened in its parent, of which `folder` is the descriptor."""
    try:
        return os.open(step.name, FOLDER | NO_FOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise _told(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), step, folder) from None
    except OSError as error:
        raise _told(error, step, folder) from None
    try:
        os.mkdir(step.name, dir_fd=folder)
    except FileExistsError:  # somebody else's, just now
        pass
    except OSError as error:
        raise _told(error, step, folder) from None
    return _inner(folder, step, make=False)


def _told(error: OSError, path: Path, folder: int) -> OSError:
    """The same error with the whole path; LinkInTheWay where it is a link that was not followed."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return LinkInTheWay(path)
    return OSError(error.errno, error.strerror, str(path))


def _remove_beneath(path: Path) -> None:
    with folder_of(path) as folder:
        if stat.S_ISDIR(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(path.name, dir_fd=folder)
