"""What `midwatch compare` prints: one checkpoint against another, from committed results, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from shared.cli import positional
from shared.errors import RunError, UsageError
from shared.json_answer import JsonSettings, print_json

if TYPE_CHECKING:
    from analyzer.supervisor.schedule import Point
    from shared.run import Run
    from shared.views.compare.compared import Compared

ROWS = 40
"""Flipped prompts that are listed; --json has all."""


class CompareSettings(JsonSettings):
    """Settings of `midwatch compare`."""

    example = "midwatch compare runs/judge --epochs 2,7"
    sections: ClassVar[dict[str, tuple[str, ...]]] = {
        "What is compared": ("epochs", "other"),
        "Where": ("out",),
        "What is told": ("as_json",),
    }
    run: Path = positional()
    """A run with results, or a directory that --out made."""
    epochs: str = "last"
    """Two checkpoints, the one to compare with first: 2,7 tells what changed from epoch 2 to epoch 7. Each is an
    epoch, a step, a name or `last`. One alone is compared with the first of the run, or with that of --with."""
    other: Path | None = Field(None, json_schema_extra={"flag": "with"})
    """Another run, whose checkpoint comes second: a second training, or a quantised or merged copy that was
    analysed as a run of its own."""
    out: Path | None = None
    """Directory that was given as --out when the run was analysed."""


def compare(settings: CompareSettings) -> None:
    """Raises UsageError for checkpoints that are not there, RunError where nothing can be compared."""
    from shared.run import Run
    from shared.views.compare.compared import compare as compared
    from shared.views.compare.gather import side_of

    run = Run.at(settings.run, settings.out)
    other = Run.at(settings.other) if settings.other is not None else run
    first, second = _chosen(run, other, settings)
    names = _names((run, other), (first, second))
    found = compared(side_of(run, first.name, names[0]), side_of(other, second.name, names[1]))
    if found.paired is None:
        raise RunError(found.here.why_not or found.there.why_not)
    parted = _parted(found, run, other)
    if settings.as_json:
        print_json("compare", run.path, _document(found, parted))
    else:
        _print(found, parted)


def _chosen(run: Run, other: Run, settings: CompareSettings) -> tuple[Point, Point]:
    """The checkpoint to compare with, and the other."""
    from analyzer.commands.checkpoint_choice import choose_one

    wanted = [each.strip() for each in settings.epochs.split(",")]
    if len(wanted) > 2 or not all(wanted):
        raise UsageError(f"--epochs {settings.epochs}: give two checkpoints, such as 2,7.")
    known, beyond = _points(run), _points(other)
    if len(wanted) == 1 and settings.other is None:
        wanted = [min(known, key=lambda point: point.step).name, *wanted]
    first, second = choose_one(known, wanted[0], "--epochs"), choose_one(beyond, wanted[-1], "--epochs")
    if run.out == other.out and first.name == second.name:
        raise UsageError(f"--epochs {settings.epochs}: these are one checkpoint; give another one to compare with.")
    return first, second


def _points(run: Run) -> list[Point]:
    """The run's checkpoints with results."""
    from analyzer.supervisor.schedule import Point
    from shared.checkpoint_places import step_at
    from shared.results import ResultStore

    store = ResultStore(run.results)
    places = store.places()
    names = store.checkpoints()
    if not names:
        raise RunError(f"Nothing of {run.path} is analysed yet; run `midwatch analyze {run.path}`.")
    return [Point(name, step_at(name, places), _epoch(store, name)) for name in names]


def _epoch(store: Any, checkpoint: str) -> float | None:
    from shared.errors import SchemaError

    try:
        record = store.newest(checkpoint, "progress")
    except (SchemaError, OSError):
        return None  # its step still names it
    return record.epoch if record is not None else None


def _names(runs: tuple[Run, Run], points: tuple[Point, Point]) -> list[str]:
    """Two different names: with the run's where there are two, else with the step where the labels are equal."""
    from shared.results import checkpoint_label

    labels = [checkpoint_label(point.step, point.epoch, point.name) for point in points]
    one, other = (run.out for run in runs)
    if one != other:
        ends = (one.name, other.name) if one.name != other.name else (one, other)
        return [f"{label} of {end}" for label, end in zip(labels, ends, strict=True)]
    if labels[0] == labels[1]:
        return [f"{label} (step {point.step})" for label, point in zip(labels, points, strict=True)]
    return labels


def _parted(found: Compared, run: Run, other: Run) -> str:
    """Where the read-outs of both part, or why that is not told; one sentence without a full stop."""
    from shared.errors import SchemaError
    from shared.views.compare.gather import readouts_of
    from shared.views.compare.layers import by_layer, part_sentence

    there, here = readouts_of(run, found.there), readouts_of(other, found.here)
    if there is None or here is None or found.paired is None:
        return "The layers of both are not analysed, so no layer is named"
    try:
        layered = by_layer(found.paired, there, here)
    except SchemaError as error:
        return str(error).rstrip(".")
    return layered.rstrip(".") if isinstance(layered, str) else part_sentence(layered, found.names)


def _document(found: Compared, parted: str) -> dict[str, Any]:
    from shared.views.compare.differs import metric_rows, setting_rows

    paired = found.paired
    return {
        "there": {"name": found.there.name, "digest": found.there.digest},
        "here": {"name": found.here.name, "digest": found.here.digest},
        "sentence": f"{found.headline}.",
        "notes": found.notes,
        "prompts": len(paired.probes) if paired is not None else 0,
        "tests": {name: flips.model_dump(mode="json") for name, flips in found.tests.items()},
        "flipped": [
            {
                "outcome": row.outcome,
                "id": row.probe.id,
                "text": row.probe.text,
                "label": row.probe.label,
                "category": row.probe.category,
                "score_here": row.here,
                "score_there": row.there,
            }
            for row in found.flips
        ],
        "layers": f"{parted}.",
        "numbers": metric_rows(found.there, found.here, found.of_the_rates),
        "settings": setting_rows(found.there, found.here),
    }


def _print(found: Compared, parted: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from shared.views.compare.differs import metric_rows, setting_rows
    from shared.views.compare.verdicts import flip_rows, result_rows

    console = Console()
    console.print(Text(f"{found.headline}.", style="bold"))
    for note in found.notes:
        console.print(Text(note))
    if found.paired is not None:
        _table(console, "", result_rows(found.paired, found.tests))
    _table(console, "Verdicts that differ", flip_rows(list(found.flips[:ROWS]), found.names))
    if left := len(found.flips) - ROWS:
        console.print(Text(f"{left} more with --json.")) if left > 0 else None
    console.print(Text(f"{parted}."))
    _table(console, "Numbers that differ", metric_rows(found.there, found.here, found.of_the_rates))
    _table(console, "Settings that differ", setting_rows(found.there, found.here))


def _table(console: Any, title: str, rows: list[dict[str, Any]]) -> None:
    """Texts are shown as they are: no markup is read in them."""
    from rich.table import Column, Table
    from rich.text import Text

    if not rows:
        return
    table = Table(*(Column(Text(name), overflow="fold") for name in rows[0]), title=title or None)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row.values()))
    console.print(table)
