"""CSV whose text no spreadsheet takes for a formula: a prompt may be anybody's.

A text that begins with one of `FORMULA` gets an apostrophe before it, as spreadsheets themselves mark text; so does
one that would look like that with its own leading apostrophes. Taking one apostrophe off again (`plain`) gives the
text back. Numbers are numbers, also negative ones.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters by which spreadsheets know a formula."""

Cell = str | int | float | bool | None


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would compute it."""
    return f"'{text}" if _computes(text) else text


def plain(cell: str) -> str:
    """The text that `harmless` made the cell of."""
    return cell[1:] if cell.startswith("'") and _computes(cell) else cell


def csv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    """A table with its header as UTF-8, lines as RFC 4180 ends them; what a row lacks, or is None, is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        cells = (row.get(name) for name in columns)
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def _computes(text: str) -> bool:
    return text.lstrip("'").startswith(FORMULA)
