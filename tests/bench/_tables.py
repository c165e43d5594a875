"""BENCHMARKS.md: prose by people, and between its markers the tables that bench.json gives.

`<!-- bench: throughput callback -->` begins a table of these benchmarks in this order, `<!-- bench: machines -->`
the one of all machines; `<!-- /bench -->` ends either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from shared.files import write_bytes_atomic
from tests.bench import Figure, Interval, Machine, Record
from tests.bench._book import ROOT, Book, read_book

BENCHMARKS_MD = ROOT / "BENCHMARKS.md"
MARKED = re.compile(r"(<!-- bench: ([\w ]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)
MACHINES = "machines"
NOT_STATED = "not stated"
COLUMNS = ("figure", "measured", "interval", "n", "bar", "met")


def write_tables(path: Path = BENCHMARKS_MD, book: Book | None = None) -> None:
    """Bring the document's tables up to date."""
    text = path.read_text(encoding="utf-8")
    write_bytes_atomic(path, with_tables(text, book or read_book()).encode())


def with_tables(text: str, book: Book) -> str:
    """The document with the book's tables between its markers."""
    letters = lettered(book)

    def table(found: re.Match[str]) -> str:
        names = found[2].split()
        if names == [MACHINES]:
            return found[1] + machine_table(letters) + found[3]
        return found[1] + figure_table([each for name in names for each in book.of(name)], letters) + found[3]

    return MARKED.sub(table, text)


def marked(text: str) -> list[str]:
    """Benchmarks for which the document has a table, in its order."""
    names = [name for found in MARKED.finditer(text) for name in found[2].split()]
    return [name for name in names if name != MACHINES]


def lettered(book: Book) -> dict[Machine, str]:
    """A letter for each machine, the one that measured first before the others."""
    first: dict[Machine, str] = {}
    for record in book.figures:
        first[record.machine] = min(first.get(record.machine, "9999"), record.date.isoformat())
    order = sorted(first, key=lambda machine: (first[machine], machine.model_dump_json()))
    return {machine: chr(ord("A") + place) for place, machine in enumerate(order)}


def figure_table(records: Sequence[Record], letters: dict[Machine, str]) -> str:
    where = [f"{letters[record.machine]}, {record.date}" for record in records]
    return markdown(
        (*COLUMNS, "where, when", "note"),
        [(*cells(record), place, record.note) for record, place in zip(records, where, strict=True)],
    )


def cells(figure: Figure) -> tuple[str, ...]:
    """What COLUMNS says of one figure."""
    return (
        figure.name,
        "not measured" if figure.value is None else f"{number(figure.value)} {figure.unit}".strip(),
        between(figure.interval),
        "" if figure.n is None else str(figure.n),
        figure.bar.text if figure.bar else "",
        {True: "yes", False: "NO", None: ""}[figure.met],
    )


def machine_table(letters: dict[Machine, str]) -> str:
    rows = []
    for one, letter in letters.items():
        cores = NOT_STATED if one.cores is None else str(one.cores)
        memory = NOT_STATED if one.memory_gib is None else f"{one.memory_gib} GiB"
        rows.append((letter, one.cpu, cores, memory, one.gpu or "none", one.python, one.torch, one.transformers))
    return markdown(("", "CPU", "cores", "memory", "GPU", "Python", "torch", "transformers"), rows)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, a line each."""
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float) -> str:
    """Three digits; whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def between(interval: Interval | None) -> str:
    if interval is None:
        return ""
    kind = "" if interval.of == "range" else f" ({interval.of})"
    return f"{number(interval.low)} to {number(interval.high)}{kind}"
