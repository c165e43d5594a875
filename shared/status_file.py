"""status.json, and the file beside it that holds the rows of a long run.

An analyzer tells of a run every few seconds. Of thousands of checkpoints most stay as they are, so their rows lie
in a file of their own, `rows-<8 hex digits>.json`, which is replaced only when many have changed. status.json names
it and lists the rows that differ. Whoever reads by `read_status` gets one `Status` with all rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.own_folders import list_directory
from shared.records import CheckpointStatus, Frozen, Status

ROWS = re.compile(r"rows-[0-9a-f]{8}\.json")
"""Name of such a file; a status that names any other is not believed."""
TRIES = 5
"""Times that both are read: between the two an analyzer may have replaced them."""


class RowsRecord(Frozen):
    """rows-<8 hex digits>.json: rows of checkpoints when it was written. Never changed; the next is named anew."""

    schema_version: int = 1
    checkpoints: list[CheckpointStatus] = Field(default_factory=list)
    """By step."""


def read_status(path: Path) -> Status:
    """The status at `path` with all its checkpoints. Raises OSError, and SchemaError for what is none."""
    for _ in range(TRIES):
        status = read_record(path, Status)
        if not status.rows:
            return status if status.schema_version == 1 else status.model_copy(update={"schema_version": 1})
        if not ROWS.fullmatch(status.rows):
            raise SchemaError(f"{path} names {status.rows!r}, which is no file of rows.")
        try:
            return _whole(status, _rows(path.with_name(status.rows)))
        except FileNotFoundError:
            continue  # replaced meanwhile, and so is the status
    raise SchemaError(f"{path} names {status.rows}, which is not there; an analyzer at work writes both anew.")


def write_rows(path: Path, rows: list[CheckpointStatus]) -> str:
    """Write a new file of rows beside the status at `path`; returns its name. Raises OSError."""
    name = f"rows-{os.urandom(4).hex()}.json"
    write_record(path.with_name(name), RowsRecord(checkpoints=rows), durable=False, indent=None)
    return name


def remove_rows(path: Path, but: Collection[str]) -> None:
    """Remove what earlier statuses at `path` named, once there is one that does not. Raises OSError.

    What the last one named stays, for who is reading it now.
    """
    for name in list_directory(path.parent):
        if ROWS.fullmatch(name) and name not in but:
            path.with_name(name).unlink(missing_ok=True)


def _whole(status: Status, rows: RowsRecord) -> Status:
    """Both as one: what the status lists itself is newer."""
    newer = {row.checkpoint for row in status.checkpoints}
    told = [*(row for row in rows.checkpoints if row.checkpoint not in newer), *status.checkpoints]
    told.sort(key=lambda row: (row.step, row.checkpoint))
    return status.model_copy(update={"checkpoints": told, "rows": "", "schema_version": 1})


def _rows(path: Path) -> RowsRecord:
    info = path.lstat()
    return _rows_as_of(path, info.st_ino, info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=4)
def _rows_as_of(path: Path, *stamp: int) -> RowsRecord:
    """A dashboard asks every few seconds for what changes every few minutes."""
    return read_record(path, RowsRecord)
