"""Rows of JSONL, JSON, CSV, TSV and Parquet files, each with the number an error names it by."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import SchemaError, UsageError
from shared.files import open_regular

MAX_FIELD_CHARS = 2**31 - 1
"""Largest CSV field, characters; Python's own default (131,072) refuses long prompts."""

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


class Row(NamedTuple):
    """One record of a source."""

    number: int
    """Line (JSONL) or row (CSV, the header being row 1; others count from 1)."""
    values: dict[str, Any]
    split: str = ""
    """Name of the split it came from, where the source has splits."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of one file, by its suffix. Raises UsageError with the row's number where it cannot be read."""
    suffix = path.suffix.casefold()
    try:
        open_regular(path).close()  # a pipe would be waited for, and a device may never end
        if suffix in {".jsonl", ".ndjson"}:
            yield from _jsonl(path)
        elif suffix == ".json":
            yield from _json(path)
        elif suffix in {".csv", ".tsv"}:
            yield from _csv(path)
        elif suffix == ".parquet":
            yield from _parquet(path)
        else:
            raise UsageError(f"{path}: a prompt file ends in {', '.join(SUFFIXES)}.")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error
    except SchemaError as error:
        raise UsageError(str(error)) from error


def _jsonl(path: Path) -> Iterator[Row]:
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield Row(number, _object(path, number, line))


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} line {number} is not UTF-8 text; save the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} line {number} is not valid JSON ({error}); write one object a line.") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} line {number} is not a JSON object; write one object a line.")
    return value


def _json(path: Path) -> Iterator[Row]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not valid JSON ({error}); one object a line belongs in a .jsonl file."
        ) from error
    if not isinstance(values, list):
        raise UsageError(f"{path} must hold a list of objects.")
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise UsageError(f"{path} item {number} is not an object.")
        yield Row(number, value)


def _csv(path: Path) -> Iterator[Row]:
    """Rows as dicts. Strict: an unclosed quote would otherwise swallow the rest of the file into one prompt."""
    csv.field_size_limit(MAX_FIELD_CHARS)
    with path.open(encoding=_encoding(path), errors="surrogateescape", newline="") as file:
        header_line = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=_delimiter(header_line, path), strict=True)
        header: list[str] = []
        number = 0
        try:
            for number, fields in enumerate(reader, 1):
                _check_utf8(path, number, fields)
                if not header:
                    header = [name.strip() for name in fields]
                elif any(field.strip() for field in fields):
                    yield Row(number, _named(path, number, header, fields))
        except csv.Error as error:
            raise UsageError(
                f"{path} row {number + 1} is not valid CSV ({error}); check the quotes around its fields."
            ) from error


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter(header: str, path: Path) -> str:
    """Tab for .tsv, else what separates the header's names: spreadsheets write ; in many countries."""
    return "\t" if path.suffix.casefold() == ".tsv" else max(",;\t", key=header.count)


def _check_utf8(path: Path, number: int, fields: list[str]) -> None:
    if any("\udc80" <= char <= "\udcff" for field in fields if not field.isascii() for char in field):
        raise UsageError(f"{path} row {number} is not UTF-8 text; save the file as UTF-8.")


def _named(path: Path, number: int, header: list[str], fields: list[str]) -> dict[str, Any]:
    if len(fields) > len(header):
        raise UsageError(
            f"{path} row {number} has {len(fields)} fields and the header {len(header)}; quote fields with commas."
        )
    return dict(zip(header, fields, strict=False))


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(f"Reading {path} needs pyarrow; install it with: pip install pyarrow.") from error
    try:
        number = 0
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, values)
    except pyarrow.ArrowException as error:
        raise UsageError(f"{path} is not a readable Parquet file ({str(error).splitlines()[0]}).") from error
