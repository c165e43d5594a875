"""Reading and writing small files so that a crash leaves either the old or the new one, never half of one."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import SchemaError
from shared.own_folders import make_directory

MAX_JSON_BYTES = 64 * 2**20
"""Largest JSON file read, in bytes: a hostile or runaway file must not eat the process's memory."""

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


def write_bytes_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data` in one step; `durable` adds the fsyncs that survive a power cut.

    Raises OSError, among it LinkInTheWay.
    """
    make_directory(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        fsync_directory(path.parent)


def write_json_atomic(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace `path` by `value` as JSON. NaN and infinities raise ValueError: they are not JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    write_bytes_atomic(path, text.encode("utf-8", "surrogatepass"), durable=durable)


def read_json(path: Path) -> Any:
    """Parse one JSON file. Raises FileNotFoundError, or SchemaError when it is no file, too large or not JSON."""
    if stat.S_ISFIFO(path.stat().st_mode):  # opening one waits for a writer, for ever
        raise SchemaError(f"{path} is a pipe, not a file; refusing to read it.")
    with path.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise SchemaError(f"{path} is larger than {MAX_JSON_BYTES // 2**20} MiB; refusing to read it.")
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
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SchemaError(f"{path} is not a valid {model.__name__}: {where}: {first['msg']}.") from error


def write_record(path: Path, record: BaseModel, *, durable: bool = True) -> None:
    """Replace `path` by one pydantic record."""
    write_json_atomic(path, record.model_dump(mode="json"), durable=durable)


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
    """Yield the objects of a JSONL file; a torn last line and lines that are not objects are skipped."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value
