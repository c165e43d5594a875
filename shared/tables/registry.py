"""Every table of an export, and the results of a run that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shared.checkpoint_places import step_at
from shared.errors import SchemaError, UsageError
from shared.prompts.probes import ProbeSet, read_probes
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from shared.tables.checkpoints import ALERTS, CHECKPOINTS, SUMMARY
from shared.tables.edges import EDGES
from shared.tables.layers import LAYERS
from shared.tables.logged import COLUMNS, NAME, ROW
from shared.tables.parts import KEY, CheckpointResults, Column, Table
from shared.tables.prompts import PROMPTS
from shared.tables.units import UNITS
from shared.tables.words import TOKENS, TOP_WORDS, WORDS

TABLES: tuple[Table, ...] = (
    CHECKPOINTS, SUMMARY, LAYERS, UNITS, EDGES, WORDS, TOP_WORDS, TOKENS, PROMPTS, ALERTS,
)  # fmt: skip
"""Those with rows by checkpoint, in the order of docs/export.md."""
ANALYSES = (
    "tokens",
    "layers",
    "comparison",
    "progress",
    "calibration",
    "neurons",
    "heads",
    "circuits",
    "evolution",
)
"""What they read."""


class Described(NamedTuple):
    """A table as docs/export.md has it."""

    name: str
    row: str
    columns: tuple[Column, ...]


def described() -> list[Described]:
    """Every table of an export with all its columns."""
    by_checkpoint = [Described(table.name, table.row, (*KEY, *table.columns)) for table in TABLES]
    return [*by_checkpoint, Described(NAME, ROW, COLUMNS)]


def checkpoint_results(run: Run, faults: list[str]) -> Iterator[CheckpointResults]:
    """What there is of each checkpoint, by step. A result that cannot be read goes to `faults`, as a sentence."""
    store = ResultStore(run.results)
    sets, places = _probe_sets(run), store.places()
    for name in store.checkpoints():
        records: dict[str, ResultRecord] = {}
        for analysis in ANALYSES:
            try:
                found = store.newest(name, analysis)
            except SchemaError as error:
                faults.append(str(error))
                continue
            if found is not None:
                records[analysis] = found
        if records:
            first = next(iter(records.values()))
            probes = next((s.probes for s in sets if s.digest == first.probe_digest), [])
            yield CheckpointResults(name, step_at(name, places), first.epoch, records, store.tensors, probes)


def _probe_sets(run: Run) -> list[ProbeSet]:
    """The probe sets of the run that can be read: its own, and the one that was assumed."""
    found = []
    for path in (run.probes, run.assumed_probes):
        try:
            found.append(read_probes(path))
        except (OSError, UsageError):
            continue  # prompts are then without their texts, as docs/export.md says
    return found
