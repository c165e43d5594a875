"""What lies in a result store, kept up to date by directory stamps alone.

Folders are listed as `shared/results_index.py` lists them. Of a result only what comes before its payload is read,
once.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from analyzer.jobs.lineage import Lineage
from shared.checkpoint_names import is_plain
from shared.checkpoint_places import Noted, in_order, step_at
from shared.errors import SchemaError
from shared.files import open_regular, read_record
from shared.results import RESULT_FILE, ResultRecord, ResultStore
from shared.results_index import Listings

HEADER_BYTES = 2**16
"""What is read of a result at first; its payload, which comes last, begins well before that."""
PAYLOAD = b'\n "payload":'
"""Where the payload begins: a string in JSON holds no line break, and whatever is nested is indented further."""


class Header(NamedTuple):
    """What a comparison has to know of a result before it reads it."""

    digest: str
    """Of the checkpoint's content."""
    probe_digest: str
    version: int
    settings: str
    """As JSON, without the lineage."""
    epoch: float | None
    own: dict[str, str]
    """Of a comparison: `Lineage.own`."""
    circuits: str | None
    """Of a comparison: `Lineage.circuits`."""
    transfer: float | None
    """Faithfulness of the previous checkpoint's circuit; None when it was not evaluated."""


class Order(NamedTuple):
    """The checkpoints with results, by step."""

    names: list[str]
    steps: list[int]


@dataclass
class Folder:
    """The committed keys of one analysis as of its last listing, newest commit first."""

    keys: list[str] = field(default_factory=list)
    headers: dict[str, Header | None] = field(default_factory=dict)


class StoreIndex:
    """A result store as of the last look at each of its folders."""

    def __init__(self, store: ResultStore) -> None:
        self.store = store
        self._listings = Listings()
        self._folders: dict[tuple[str, str], Folder] = {}
        self._order: tuple[dict[str, Noted], Order] | None = None

    def checkpoints(self) -> Order:
        """Checkpoints with results, listed and sorted again only where one came or went, or was noted elsewhere."""
        found, changed = self._listings.names(str(self.store.root))
        places = self.store.places()
        if changed or self._order is None or self._order[0] != places:
            names = in_order(filter(is_plain, found), places)
            self._order = places, Order(names, [step_at(name, places) for name in names])
        return self._order[1]

    def keys(self, checkpoint: str, analysis: str) -> list[str]:
        """Committed keys of one analysis, newest commit first."""
        return self._folder(checkpoint, analysis).keys

    def has(self, checkpoint: str, analysis: str, key: str) -> bool:
        """Whether a result is there, as the disk says now."""
        return os.path.isfile(f"{self.store.root}/{checkpoint}/{analysis}/{key}/{RESULT_FILE}")  # noqa: PTH113 (thousands of times a look: Path costs 3x)

    def header(self, checkpoint: str, analysis: str, key: str) -> Header | None:
        """The header of a committed result; None when it cannot be read. Looks at the disk once a listing."""
        headers = self._folders[checkpoint, analysis].headers
        if key not in headers:
            headers[key] = _header(self.store.directory(checkpoint, analysis, key) / RESULT_FILE)
        return headers[key]

    def forget(self, checkpoint: str, analysis: str) -> None:
        """List the results of one analysis anew, whatever the folder's stamp says."""
        self._folders.pop((checkpoint, analysis), None)

    def _folder(self, checkpoint: str, analysis: str) -> Folder:
        place = (checkpoint, analysis)
        names, changed = self._listings.names(f"{self.store.root}/{checkpoint}/{analysis}")
        if changed or place not in self._folders:
            self._folders[place] = Folder(self.store.keys(checkpoint, analysis) if names else [])
        return self._folders[place]


def read_without_payload(path: Path) -> ResultRecord:
    """result.json without its payload. Raises FileNotFoundError, or SchemaError as `read_record` does."""
    with open_regular(path) as file:
        head, mark, _ = file.read(HEADER_BYTES).partition(PAYLOAD)
    if mark:
        try:
            value = json.loads(head.rstrip().removesuffix(b",") + b"}")
            if value.get("schema_version") == ResultRecord.model_fields["schema_version"].default:
                return ResultRecord.model_validate(value)
        except (ValueError, AttributeError, ValidationError):
            pass  # then the whole file says what is wrong with it
    return read_record(path, ResultRecord).model_copy(update={"payload": {}})


def settings_text(settings: dict[str, Any]) -> str:
    """Settings as JSON, to be compared."""
    return json.dumps({name: value for name, value in settings.items() if name != "lineage"}, sort_keys=True)


def _header(path: Path) -> Header | None:
    try:
        record = read_without_payload(path)
        lineage = Lineage.model_validate(record.settings.get("lineage", {}))
    except (OSError, SchemaError, ValidationError):
        return None
    return Header(
        digest=record.checkpoint_digest,
        probe_digest=record.probe_digest,
        version=record.analysis_version,
        settings=settings_text(record.settings),
        epoch=record.epoch,
        own=lineage.own,
        circuits=lineage.circuits,
        transfer=record.summary.get("transfer_kept"),
    )
