"""One worker at a time draws a run: what spans it shows everything that was committed before its turn."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from analyzer.worker.throttled import PROGRESS_EVERY_S
from shared.errors import RunError
from shared.logs import entry
from shared.own_folders import make_directory, open_beneath
from shared.run import Run

try:
    import fcntl
except ImportError:  # not on Windows, where there is one worker
    fcntl = None

logger = logging.getLogger(__name__)

LOCK = ".lock"
"""What the lock's file is called, before the owner of the lease."""
WAIT_S = 60.0
"""Seconds to wait for the others: a worker that was stopped while it drew keeps the lock."""


class OthersDraw(RunError):
    """Others drew the run for as long as we would wait."""


@contextmanager
def alone(run: Run, owner: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait until no other worker of this lease draws this run, calling `waiting` a few times a second.

    A worker that was stopped, and whose run others took over meanwhile, holds the lock of a lease that is no more:
    nobody waits for it, and whoever has the run sweeps the lock away (`litter.py`). Where files cannot be locked
    nobody waits. Raises OSError, and OthersDraw after `WAIT_S` seconds.
    """
    if fcntl is None:
        yield
        return
    make_directory(run.drawn)
    file = open_beneath(run.drawn / lock_name(owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        os.utime(file)  # in use: what is swept is older
        until = time.monotonic() + WAIT_S
        while not _locked(file, run):
            if time.monotonic() >= until:
                raise OthersDraw(f"Other workers have drawn {run.name} for {WAIT_S:.0f} s; it is drawn later.")
            waiting()
            time.sleep(PROGRESS_EVERY_S)
        yield
    finally:
        os.close(file)


def lock_name(owner: str) -> str:
    """Of the lock's file; `owner` is the lease's, empty without one."""
    return f"{LOCK}.{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def _locked(file: int, run: Run) -> bool:
    """Whether we may draw: the lock is ours, or there are no locks here."""
    assert fcntl is not None  # noqa: S101 (who calls this has it)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        extra = entry("drawn_unlocked", run=run.name, cause=str(error))
        logger.debug("%s cannot be locked: %s", run.drawn, error, extra=extra)
    return True
