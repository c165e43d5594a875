"""What the key of a result is made from, and which results the figures show. Supervisor and worker agree here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzer.jobs.messages import Computation
from shared.errors import SchemaError
from shared.files import read_json, write_json_atomic
from shared.records import JudgeRecord
from shared.run import Run

if TYPE_CHECKING:
    from analyzer.jobs.family import Family


def key_settings(computation: Computation, judge: JudgeRecord) -> dict[str, Any]:
    """Everything that was chosen: the analysis's settings, how a verdict is read, what is compared, and the user's
    description of the model family."""
    settings = {**computation.settings, "judge": judge.for_key()}
    if computation.lineage is not None:
        settings["lineage"] = computation.lineage.model_dump(mode="json")
    if computation.family is not None:  # so that keys under our own families stay what they are
        settings["family"] = computation.family
    return settings


def under(family: Family | None, computations: Mapping[str, Computation]) -> Mapping[str, Computation]:
    """The computations for a run whose model family a user described; None leaves them as they are."""
    if family is None:
        return computations
    told = {"family": family.digest}
    return {name: computation.model_copy(update=told) for name, computation in computations.items()}


def drawn_keys(run: Run, checkpoint: str) -> set[str]:
    """Keys of the results that `training_visualizations/` shows of a checkpoint."""
    try:
        value = read_json(_drawn(run, checkpoint))
    except (OSError, SchemaError):
        return set()
    return set(value) if isinstance(value, list) else set()


def note_drawn(run: Run, checkpoint: str, keys: set[str]) -> None:
    """Remember what has been drawn, so that a crash before the figures is made up for."""
    write_json_atomic(_drawn(run, checkpoint), sorted(keys), durable=False)


def _drawn(run: Run, checkpoint: str) -> Path:
    return run.drawn / f"{checkpoint}.json"
