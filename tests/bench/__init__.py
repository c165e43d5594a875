"""`make bench`: every figure is a ratio measured in one run, alternating, with medians; never a test.

A benchmark is a module `tests/bench/<name>.py` with `measure(size) -> list[Figure]`. `Size.FULL` is the
measurement, `Size.TINY` the same code on tiny random judges in seconds: its numbers mean nothing, but it shows that
the benchmark still runs (`tests/bench/test_smoke.py`). One that cannot run here raises `Unavailable`, after what
set-up is possible.

`bench.json` at the repository's root holds the newest record of every figure, and BENCHMARKS.md's tables are
written from it. Running a benchmark replaces its own records only, so others keep their machine and date:

    {"schema_version": 1, "figures": [RECORD, ...]}

    benchmark   module of tests/bench, or what is measured elsewhere (`_book.ELSEWHERE`)
    name        what was measured; unique within its benchmark
    value       a finite number, or null: not measured, and the note says why
    unit        "x" is a ratio; "" a number without a unit
    interval    {"low", "high", "of"}, or null; of "range": lowest and highest repetition, or "95 % bootstrap"
    n           repetitions whose median (where not said otherwise) is the value, or null
    bar         {"text": "<= 0.5 warm", "comparison": "<=", "limit": 0.5}, or null; comparison is <=, <, >=, > or ==
    met         whether value and bar agree; null without a value or a bar. Derived, never read
    note        sizes, settings, what else ran; "transcribed" where people copied the figure from an older document
    machine     {"cpu", "cores", "memory_gib", "gpu", "python", "torch", "transformers"}; gpu is null without one,
                cores and memory_gib where an older document does not state them
    date        of the measurement, UTC, YYYY-MM-DD
"""

from __future__ import annotations

import datetime
import operator
import re
import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, FiniteFloat, computed_field

from shared.records import Frozen

COMPARISONS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt, "==": operator.eq}


class Unavailable(Exception):
    """This machine lacks what a benchmark needs; the sentence says what, and how to get it."""


class Size(StrEnum):
    """How much a benchmark does."""

    FULL = "full"
    """What is published."""
    TINY = "tiny"
    """Seconds: does it run at all?"""


class Interval(Frozen):
    """Where the value may lie."""

    low: FiniteFloat
    high: FiniteFloat
    of: Literal["range", "95 % bootstrap"] = "range"
    """Lowest and highest repetition, or a 95 % bootstrap interval of their median."""


class Bar(Frozen):
    """What a figure must reach."""

    text: str
    """As people read it, e.g. ">= 0.97"."""
    comparison: Literal["<=", "<", ">=", ">", "=="]
    limit: FiniteFloat

    def holds(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.limit)


def _bar(value: Any) -> Any:
    """A bar from its text: a comparison and a number, then words if need be."""
    if not isinstance(value, str):
        return value
    found = re.match(r"(<=|<|>=|>|==) (\S+)", value)
    if found is None:
        raise ValueError(f"the bar {value!r} does not begin with a comparison and a number, as '<= 1.5' does")
    return {"text": value, "comparison": found[1], "limit": found[2]}


class Figure(Frozen):
    """One measured figure; the module's docstring says what each field holds. `bar` may be given as its text."""

    name: str
    value: FiniteFloat | None
    unit: str = ""
    interval: Interval | None = None
    n: int | None = None
    bar: Annotated[Bar | None, BeforeValidator(_bar)] = None
    note: str = ""

    @computed_field
    @property
    def met(self) -> bool | None:
        return None if self.value is None or self.bar is None else self.bar.holds(self.value)


class Machine(Frozen):
    """Where a figure was measured."""

    cpu: str
    cores: int | None
    memory_gib: int | None
    gpu: str | None
    python: str
    torch: str
    transformers: str


class Record(Figure):
    """A figure as bench.json holds it."""

    benchmark: str
    machine: Machine
    date: datetime.date


def median_figure(
    name: str, values: Sequence[float], unit: str, *, bar: str | None = None, note: str = ""
) -> Figure:
    """The median of repetitions, with their range."""
    return Figure(
        name=name,
        value=statistics.median(values),
        unit=unit,
        interval=Interval(low=min(values), high=max(values)),
        n=len(values),
        bar=bar,  # type: ignore[arg-type]
        note=note,
    )
