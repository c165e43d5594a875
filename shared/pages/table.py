"""The numbers behind a figure: a table to read, and the rows for the CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.findings.text import clean

Rows = Sequence[dict[str, Any]]

MAX_TABLE_ROWS, MAX_CSV_ROWS = 60, 600
"""Rows in the page's table and in its CSV; what is left out is said, and stands in the result file."""


class Cell(NamedTuple):
    shown: str
    is_text: bool
    """Set from the left, and wrapped."""


class Table(NamedTuple):
    """The first MAX_TABLE_ROWS rows as shown."""

    head: list[str]
    body: list[list[Cell]]
    total: int
    """Rows in all."""


def table_of(rows: Rows) -> Table:
    columns = _columns(rows)
    body = [[_cell(row.get(name)) for name in columns] for row in rows[:MAX_TABLE_ROWS]]
    return Table([name.replace("_", " ") for name in columns], body, len(rows))


def _cell(value: object) -> Cell:
    """Numbers to 5 digits, missing ones as a dash."""
    if value is None:
        return Cell("–", False)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", True)
    if isinstance(value, int):
        return Cell(str(value), False)
    if isinstance(value, float):
        return Cell(f"{value:.5g}", False)
    return Cell(str(value), True)


def csv_json(rows: Rows) -> str:
    """The first MAX_CSV_ROWS rows as JSON with the column names once. Lone surrogates are replaced: they are not
    UTF-8.
    """
    columns = _columns(rows)
    values = [[_plain(row.get(name)) for name in columns] for row in rows[:MAX_CSV_ROWS]]
    return json.dumps({"columns": columns, "rows": values}, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    """Text cleaned; numbers to the 7 digits that float32 holds."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return clean(value) if isinstance(value, str) else value


def _columns(rows: Rows) -> list[str]:
    """Every row's columns, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))
