"""What goes around each write of ours: whose fault a refusal is, and who may still replace a file.

A disk that does not answer, or a process with too many open files, says nothing of what was to be written: such an
error becomes an OwnPlaceRefused, which names our file, and whoever counts failures does not count it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from shared.errors import OwnPlaceRefused

MACHINES_FAULT = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}
"""What a disk, a file server or a table of open files is answered with that does not work just then."""

Check = Callable[[Path, int | None], None]
"""Raises where a file may not be replaced any more: its path, and the descriptor of its folder, None without."""

_fence: ContextVar[Check | None] = ContextVar("fence", default=None)


@contextmanager
def publishing(path: Path) -> Iterator[None]:
    """A refusal of the machine's in the block is one of our own place at `path`: raises OwnPlaceRefused."""
    try:
        yield
    except OSError as error:
        if error.errno not in MACHINES_FAULT or isinstance(error, OwnPlaceRefused):
            raise
        raise OwnPlaceRefused(error.errno, error.strerror, str(path)) from error


@contextmanager
def fenced(check: Check) -> Iterator[None]:
    """Whatever this thread replaces in the block is first asked for, once it is written aside."""
    token = _fence.set(check)
    try:
        yield
    finally:
        _fence.reset(token)


def ask_fence(path: Path, folder: int | None) -> None:
    """Raise what the fence around us says of a file that is about to be replaced; there may be none."""
    check = _fence.get()
    if check is not None:
        check(path, folder)
