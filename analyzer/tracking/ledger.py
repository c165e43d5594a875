"""What a tracker has got, on disk: so nothing is sent twice, whoever is killed in between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from analyzer.tracking.numbers import key_of
from shared.errors import SchemaError
from shared.files import read_record
from shared.own_folders import refuse_links
from shared.records import Frozen
from shared.results_index import ResultFile

Files = Mapping[str, Mapping[str, ResultFile]]
"""Checkpoint -> analysis -> its newest result."""
Record = TypeVar("Record", bound=Frozen)


class Sent(Frozen):
    """tracked/<tracker>/sent.json."""

    schema_version: int = 1
    place: str = ""
    """`Tracker.place`."""
    keys: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Checkpoint -> analysis -> key of the result whose numbers were sent."""

    def missing(self, files: Files) -> dict[str, dict[str, ResultFile]]:
        """Of these results those whose numbers were not sent."""
        found = {
            name: {a: file for a, file in each.items() if self.keys.get(name, {}).get(a) != key_of(file)}
            for name, each in files.items()
        }
        return {name: each for name, each in found.items() if each}

    def again(self, files: Files) -> list[str]:
        """Checkpoints of which an analysis among these was sent before, with another key."""
        return [name for name, each in files.items() if self.keys.get(name, {}).keys() & each.keys()]

    def with_(self, files: Files) -> Sent:
        """The same, once these are sent, too."""
        keys = dict(self.keys)
        for name, each in files.items():
            keys[name] = keys.get(name, {}) | {analysis: key_of(file) for analysis, file in each.items()}
        return self.model_copy(update={"keys": keys})


class Told(Frozen):
    """tracked/alerts/told.json."""

    schema_version: int = 1
    seen: dict[str, str] = Field(default_factory=dict)
    """Checkpoint -> key of the comparison whose alerts are dealt with."""
    told: dict[str, list[str]] = Field(default_factory=dict)
    """Checkpoint -> what was told of it: `alarms.identity`."""


def read_ledger(path: Path, model: type[Record]) -> Record:
    """What was sent before; of a ledger that is not there, nothing. Raises SchemaError that says what to do."""
    refuse_links(path)
    try:
        return read_record(path, model)
    except FileNotFoundError:
        return model()
    except SchemaError as error:
        raise SchemaError(f"{error} Delete it to send everything again.") from error
