"""Why a checkpoint has no picture of an analysis: its judge or its probe set cannot have it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from shared.errors import SchemaError
from shared.files import read_record
from shared.records import Frozen
from shared.results import ResultStore, file_prefix
from shared.run import Run


class Cannot(Frozen):
    """What a page tells of attempts/<checkpoint>.json."""

    cannot: dict[str, str] = Field(default_factory=dict)
    """Analysis -> why not, in a sentence."""


def uncomputed(run: Run, told: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Prefix of a checkpoint's files -> analysis -> why there is none, where there are other results.

    `told` (checkpoint -> analysis -> why) comes to what is noted on disk.
    """
    store, found = ResultStore(run.results), {}
    for checkpoint in store.checkpoints():
        why = _noted(run, checkpoint) | dict(told.get(checkpoint, {}))
        if why and (prefix := _prefix(store, checkpoint)):
            there = {name for name in why if (store.root / checkpoint / name).is_dir()}
            found[prefix] = {name: why[name] for name in sorted(why.keys() - there)}
    return found


def _noted(run: Run, checkpoint: str) -> dict[str, str]:
    try:
        return read_record(run.attempts / f"{checkpoint}.json", Cannot).cannot
    except (OSError, SchemaError):
        return {}  # nothing was noted, or not readably: the index links what there is


def _prefix(store: ResultStore, checkpoint: str) -> str:
    """How the files of a checkpoint begin, by any result that can be read."""
    for path in sorted((store.root / checkpoint).iterdir()):
        try:
            record = store.newest(checkpoint, path.name)
        except (OSError, SchemaError):
            continue
        if record is not None:
            return file_prefix(record.step, record.epoch, record.checkpoint)
    return ""
