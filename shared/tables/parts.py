"""What a table is made of, and the results of one checkpoint that its rows come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from shared.findings.parts import typed_result

if TYPE_CHECKING:
    import numpy as np

    from shared.records import Probe
    from shared.results import ResultRecord

Model = TypeVar("Model", bound=BaseModel)
Kind = Literal["text", "integer", "number", "truth"]
Columns = Mapping[str, "Sequence[Any] | np.ndarray"]
"""Column -> its values, all of one length; None (of numbers NaN too) where there is none."""
NO_ROWS: Columns = {}


class Column(NamedTuple):
    """One column of a table, as docs/export.md has it."""

    name: str
    kind: Kind
    words: str
    """What it holds, with its unit and range."""


@dataclass(frozen=True)
class Table:
    """One file of an export."""

    name: str
    row: str
    """What one row is: "a layer of a checkpoint"."""
    columns: tuple[Column, ...]
    """Behind those of `KEY`."""
    rows: Callable[[CheckpointResults], Columns]
    """Pure: one checkpoint's results to columns, some of them; `NO_ROWS` without a result."""


KEY = (
    Column("checkpoint", "text", "Name of the checkpoint's directory"),
    Column("step", "integer", "Optimizer step"),
    Column("epoch", "number", "Epoch; empty where unknown"),
)
"""The columns that every table begins with."""


@dataclass(frozen=True)
class CheckpointResults:
    """The newest readable result of each analysis of one checkpoint."""

    name: str
    step: int
    epoch: float | None
    records: Mapping[str, ResultRecord]
    read_tensors: Callable[[ResultRecord], Mapping[str, np.ndarray]]
    probes: Sequence[Probe] = ()
    """The probe set that the results are about, in its order; empty where it is not there any more."""

    def typed(self, analysis: str, model: type[Model]) -> Model | None:
        """The typed result, or None without one. Raises SchemaError."""
        record = self.records.get(analysis)
        return None if record is None else typed_result(record, model)

    def tensors(self, analysis: str) -> Mapping[str, np.ndarray]:
        """The arrays of a result; empty without one. Raises SchemaError."""
        record = self.records.get(analysis)
        return {} if record is None else self.read_tensors(record)


def interval_columns(name: str, words: str) -> tuple[Column, Column, Column]:
    """The three columns of `shared.findings.parts.interval_cells`."""
    return (
        Column(name, "number", words),
        Column(f"{name}_low", "number", f"Lower end of the 95 % interval of `{name}`"),
        Column(f"{name}_high", "number", f"Upper end of the 95 % interval of `{name}`"),
    )


def from_rows(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """Rows as columns; a row may leave columns out."""
    found = list(rows)
    names = dict.fromkeys(name for row in found for name in row)
    return {name: [row.get(name) for row in found] for name in names}
