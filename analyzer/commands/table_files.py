"""Tables as files, written checkpoint by checkpoint, so that memory holds one checkpoint's rows."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.csv_text import harmless
from shared.errors import UsageError
from shared.tables.parts import Column, Columns, Kind

Format = Literal["parquet", "csv"]
GROUP = 100_000
"""Rows of a Parquet row group."""


def require_writer(kind: Format) -> None:
    """Raise UsageError in one sentence where this machine cannot write such files."""
    if kind == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow; run `pip install pyarrow`, or pass --format csv.")


def table_file(path: Path, columns: Sequence[Column], kind: Format) -> CsvFile | ParquetFile:
    """An empty table at `path`, which grows by rows and is closed when its block ends."""
    return ParquetFile(path, columns) if kind == "parquet" else CsvFile(path, columns)


def length_of(found: Columns) -> int:
    return len(next(iter(found.values()), ()))


class CsvFile:
    """UTF-8, lines ended by a line feed; what is missing is empty, a truth value is true or false."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.rows = 0
        self._names = [column.name for column in columns]
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._names)

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, found: Columns) -> None:
        """Append rows; columns that `found` leaves out are empty there."""
        count = length_of(found)
        listed = [_listed(found[name]) if name in found else [None] * count for name in self._names]
        self._writer.writerows([_cell(value) for value in row] for row in zip(*listed, strict=True))
        self.rows += count


def _cell(value: Any) -> Any:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else value


class ParquetFile:
    """Row groups of GROUP rows, so that small tables have one; each field's metadata says what it holds."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows = 0
        types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}
        fields = [pa.field(c.name, types[c.kind], metadata={"description": c.words}) for c in columns]
        self._kinds: dict[str, Kind] = {column.name: column.kind for column in columns}
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._pending: list[pa.Table] = []

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, found: Columns) -> None:
        """Append rows; columns that `found` leaves out are empty there."""
        import pyarrow as pa

        count = length_of(found)
        if not count:
            return
        arrays = []
        for field in self._schema:
            values = found.get(field.name)
            if values is None:
                arrays.append(pa.nulls(count, field.type))
                continue
            plain = [_utf8(value) for value in values] if self._kinds[field.name] == "text" else values
            arrays.append(pa.array(plain, type=field.type, from_pandas=True))  # NaN becomes null
        self._pending.append(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += count
        if sum(part.num_rows for part in self._pending) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=GROUP)
            self._pending = []


def _listed(values: Any) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _utf8(value: str | None) -> str | None:
    """Lone surrogates are not UTF-8."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")
