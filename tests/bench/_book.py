"""bench.json: the newest record of every figure."""

from __future__ import annotations

import datetime
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from pydantic import Field

from shared.files import read_record, write_record
from shared.records import Frozen
from tests.bench import Figure, Machine, Record, Size

ROOT = Path(__file__).parents[2]
BENCH_JSON = ROOT / "bench.json"
HERE = Path(__file__).parent
NAMES = sorted(
    found.name for found in pkgutil.iter_modules([str(HERE)]) if not found.name.startswith(("_", "test_"))
)
"""Every benchmark."""
ON_DEMAND = {"decoder_baseline", "judges", "ranking"}
"""Train large judges, or long, or hundreds, and take ten minutes and more: only where they are named."""
ELSEWHERE = {
    "demo": "`midwatch demo --no-serve`, by the clock",
    "containers": "`make compose-test`",
    "versions": "`midwatch analyze --suite advanced` of two versions, by turns",
}
"""Figures that another command measures and people write down."""


class Book(Frozen):
    """What bench.json holds."""

    schema_version: int = 1
    figures: list[Record] = Field(default_factory=list)

    def of(self, benchmark: str) -> list[Record]:
        return [figure for figure in self.figures if figure.benchmark == benchmark]

    def replaced(self, benchmark: str, records: Sequence[Record]) -> Book:
        """A book with `records` in place of this benchmark's old ones; all others stay, benchmarks in order."""
        kept = [figure for figure in self.figures if figure.benchmark != benchmark]
        return Book(figures=sorted([*kept, *records], key=lambda figure: figure.benchmark))


def read_book(path: Path = BENCH_JSON) -> Book:
    """The book, empty where there is none. Raises SchemaError for a file that is no book."""
    return read_record(path, Book) if path.exists() else Book()


def write_figures(
    benchmark: str, figures: Sequence[Figure], machine: Machine, today: datetime.date, path: Path = BENCH_JSON
) -> None:
    """Replace one benchmark's records, in one step: a reader sees the old file or the new one."""
    stamp = {"benchmark": benchmark, "machine": machine, "date": today}
    records = [Record(**figure.model_dump(exclude={"met"}), **stamp) for figure in figures]
    write_record(path, read_book(path).replaced(benchmark, records))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.bench.{name}")


def measure_of(name: str) -> Callable[[Size], list[Figure]]:
    return module(name).measure


def purpose(name: str) -> str:
    """First line of the benchmark's docstring."""
    return (module(name).__doc__ or "").partition("\n")[0]
