"""Reading and writing small files so that a crash leaves either the old or the new one, never half of one.

What is read may come from anybody: only regular files are opened, none is waited for, none is read beyond a size.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import SchemaError
from shared.own_folders import BY_DESCRIPTOR, NO_FOLLOW, folder_of, make_directory, open_beneath
from shared.own_writes import ask_fence, publishing
from shared.wrong_values import first_fault

MAX_JSON_BYTES = 64 * 2**20
"""Largest JSON file read, in bytes: a hostile or runaway file must not eat the process's memory."""
MAX_LINE_BYTES = 2**20
"""Longest line of a JSONL file that is read; a longer one is skipped."""
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_CLOEXEC", 0)
WAITING = errno.ENXIO, errno.ENODEV
"""What opening a socket, or a device that is not there, is answered with."""

Record = TypeVar("Record", bound=BaseModel)


def fsync_directory(path: Path) -> None:
    """Make a rename inside `path` survive a power cut (a no-op where directories cannot be opened)."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> IO[bytes]:
    """A regular file to read, opened without waiting for anybody; of ours, through no link.

    Raises SchemaError for anything else that stands there (a pipe, a device, a directory), and OSError, among it
    FileNotFoundError and LinkInTheWay.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a device is not even opened, which may do something
        raise _no_file(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = open_beneath(path, flags)
    except OSError as error:
        if error.errno in WAITING:
            raise _no_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return os.fdopen(descriptor, "rb")


def require_regular(path: Path) -> None:
    """For who opens by path, as safetensors does: raises as `open_regular`, which is better where it can be had."""
    open_regular(path).close()


def read_bytes(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """All of a regular file of up to `most` bytes. Raises SchemaError where it is none, or larger, and OSError."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SchemaError(f"{path} is larger than {most / 2**20:g} MiB; refusing to read it.")
    return data


def _no_file(path: Path) -> SchemaError:
    return SchemaError(f"{path} is no regular file; refusing to read it.")


def write_bytes_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data` in one step; `durable` adds the fsyncs that survive a power cut.

    Raises OSError, among it LinkInTheWay and OwnPlaceRefused, and what a fence raises (`shared/own_writes.py`).
    """
    with publishing(path):
        make_directory(path.parent)
        if BY_DESCRIPTOR:
            _write_by_descriptor(path, data, durable=durable)
        else:
            _write_by_path(path, data, durable=durable)


def _write_by_descriptor(path: Path, data: bytes, *, durable: bool) -> None:
    with folder_of(path) as folder:
        aside = f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            _write_new(os.open(aside, NEW_FILE, 0o600, dir_fd=folder), data, durable=durable)
            ask_fence(path, folder)
            os.replace(aside, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=folder)
            raise
        if durable:
            os.fsync(folder)


def _write_by_path(path: Path, data: bytes, *, durable: bool) -> None:
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        _write_new(descriptor, data, durable=durable)
        ask_fence(path, None)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    if durable:
        fsync_directory(path.parent)


def _write_new(descriptor: int, data: bytes, *, durable: bool) -> None:
    """Fill a new file and close it. All may read it: the dashboard is another user in its container."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o644)
        if durable:
            os.fsync(file.fileno())


def write_json_atomic(path: Path, value: Any, *, durable: bool = True, indent: int | None = 1) -> None:
    """Replace `path` by `value` as JSON. NaN and infinities raise ValueError: they are not JSON.

    Without an `indent` it is one line, which costs a tenth.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    write_bytes_atomic(path, text.encode("utf-8", "surrogatepass"), durable=durable)


def read_json(path: Path) -> Any:
    """Parse one JSON file. Raises OSError, or SchemaError when it is no regular file, too large or not JSON."""
    data = read_bytes(path, MAX_JSON_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{path} is not valid JSON ({error}).") from error


def read_record(path: Path, model: type[Record]) -> Record:
    """Read one pydantic record. Raises FileNotFoundError, or SchemaError with the reason.

    A file whose `schema_version` is above the model's default was written by a newer Midwatch: refused by name.
    """
    value = read_json(path)
    field = model.model_fields.get("schema_version")
    if field is not None and isinstance(value, dict):
        found = value.get("schema_version", field.default)
        if isinstance(found, int) and found > field.default:
            raise SchemaError(
                f"{path.name} was written by a newer Midwatch (schema {found}, this one reads {field.default}); "
                "upgrade Midwatch to read it."
            )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise SchemaError(f"{path} is not a valid {model.__name__}: {first_fault(error)}.") from error


def write_record(path: Path, record: BaseModel, *, durable: bool = True, indent: int | None = 1) -> None:
    """Replace `path` by one pydantic record; see `write_json_atomic`."""
    write_json_atomic(path, record.model_dump(mode="json"), durable=durable, indent=indent)


def append_jsonl(path: Path, value: dict[str, Any]) -> None:
    """Append one line. A single write of one line is whole or, after a crash, a last line readers skip."""
    make_directory(path.parent)
    line = (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "surrogatepass")
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a crash tore the line before: it must not take this one with it
                line = b"\n" + line
        file.write(line)


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file; a torn last line and lines that are not objects are skipped.

    Nothing where there is no regular file. Raises OSError where it cannot be read.
    """
    try:
        file = open_regular(path)
    except (FileNotFoundError, NotADirectoryError, SchemaError):
        return
    with file:
        for line in _lines(file):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of up to MAX_LINE_BYTES; what is longer takes no more memory than that."""
    whole = True
    while line := file.readline(MAX_LINE_BYTES):
        ends = line.endswith(b"\n")
        if whole and (ends or len(line) < MAX_LINE_BYTES):
            yield line
        whole = ends
