"""Why a checkpoint has no picture of an analysis: its judge or its probe set cannot have it."""

from __future__ import annotations

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


def uncomputed(run: Run) -> dict[str, dict[str, str]]:
    """Prefix of a checkpoint's files -> analysis -> why there is none, where there are other results."""
    store, found = ResultStore(run.results), {}
    for checkpoint in store.checkpoints():
        try:
            told = read_record(run.attempts / f"{checkpoint}.json", Cannot).cannot
        except (OSError, SchemaError):
            continue  # nothing was noted, or not readably: the index links what there is
        if told and (prefix := _prefix(store, checkpoint)):
            found[prefix] = {
                name: why for name, why in sorted(told.items()) if not (store.root / checkpoint / name).is_dir()
            }
    return found


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
