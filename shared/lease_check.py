"""Whether who commits still has the run: what was computed under a lease that was lost meanwhile is not published.

A process that was stopped for longer than its lease lives goes on, once it is let, as if nothing had happened. So a
commit writes aside, then looks at the lease, then renames; and whoever takes a run over has the lease first, and
then sweeps what lies aside. Who looked before the lease was taken finds what it wrote swept away, and its rename
fails; who looks later is refused. No lock is held that a stopped process could keep.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from shared.errors import LeaseLost
from shared.own_folders import NO_FOLLOW, own_steps
from shared.own_writes import publishing

LEASE_FILE = "lease.json"
LARGEST = 2**16
"""Bytes of a lease that are read at most."""
NO_LEASE = errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO
"""What opening and reading is answered with where no lease file stands."""
READ = os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def require_lease(owner: str, path: Path, folder: int | None) -> None:
    """Raise LeaseLost unless `owner` has the lease of the run in which `path` lies; one without name needs none.
    OSError where nobody could tell, OwnPlaceRefused where that is the machine's doing.

    `folder` is the descriptor of the directory that `path` lies in: the lease is read from there upwards, so that
    it is that of the very tree in which the rename follows. None reads it by its path.
    """
    steps = own_steps(path)
    if not owner or not steps:
        return
    with publishing(steps[0] / LEASE_FILE):
        found = _owner(steps, folder)
    if owner != found:
        raise lease_lost(path)


def lease_lost(path: Path) -> LeaseLost:
    """The error of whoever would publish `path`."""
    steps = own_steps(path) or [path]
    return LeaseLost(f"Another analyzer has {steps[0].parent.name} by now; what was computed here is discarded.")


def _owner(steps: list[Path], folder: int | None) -> str:
    """Whose lease it is; nobody's where no file is there, or none that makes sense. Raises OSError."""
    above = steps[0] if folder is None else Path(*[os.pardir] * (len(steps) - 2))
    try:
        descriptor = os.open(above / LEASE_FILE, READ, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            return str(json.loads(file.read(LARGEST))["owner"])
    except OSError as error:
        if error.errno in NO_LEASE:
            return ""
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
