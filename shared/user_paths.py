"""Paths that a user gives, and small files that a user wrote: every mistake is one sentence."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shared.errors import UsageError

MAX_BYTES = 64 * 2**10
"""Largest file of settings that is read, in bytes: they are written by hand."""


def expanded(path: Path | str) -> Path:
    """With the home directory in place of `~`. Raises UsageError for one not known, and for what is no path."""
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is no path; write one without a null character.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path} begins with a home directory that is not known; write the whole path.") from error


def make_output(folder: Path) -> None:
    """Make a directory that a user wants written, and its parents. Raises UsageError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "a file stands in its place" if isinstance(error, FileExistsError) else error.strerror or error
        raise UsageError(f"{folder} cannot be made ({why}); choose another place, or make it writable.") from error


def read_by_hand(path: Path, what: str) -> bytes:
    """A small file that somebody wrote by hand; `what` it is to be opens the sentence. Raises UsageError.

    Only a regular file: a pipe may never end.
    """
    try:
        descriptor = os.open(expanded(path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"The {what} {path} cannot be read (it is no regular file).")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The {what} {path} cannot be read ({error.strerror}).") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"The {what} {path} is larger than {MAX_BYTES // 2**10} KiB, and so none.")
    return data
