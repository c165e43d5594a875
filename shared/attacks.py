"""Where the attacks on a checkpoint lie in a run, and their files: written in one step each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.checkpoint_names import slug
from shared.errors import SchemaError
from shared.files import read_json, write_bytes_atomic, write_json_atomic
from shared.findings.attack import SCHEMA, AttackArchive
from shared.own_folders import list_directory
from shared.run import Run
from shared.wrong_values import first_fault


@dataclass(frozen=True)
class AttackPlace:
    """One checkpoint's attacks."""

    run: Run
    checkpoint: str

    @property
    def folder(self) -> Path:
        return self.run.attacks / self.checkpoint

    @property
    def archive(self) -> Path:
        """Written last: where it is, everything else is whole."""
        return self.folder / "archive.json"

    @property
    def attacks(self) -> Path:
        """Every failure, as `--data` reads it."""
        return self.folder / "attacks.jsonl"

    @property
    def additions(self) -> Path:
        """What may join the next training."""
        return self.folder / "additions.jsonl"

    @property
    def fresh(self) -> Path:
        """What says whether that helped."""
        return self.folder / "fresh.jsonl"

    @property
    def unconfirmed(self) -> Path:
        """What a language model wrote and nobody confirmed: it counts nowhere."""
        return self.folder / "unconfirmed.jsonl"

    @property
    def to_confirm(self) -> Path:
        """The same for a person to fill in."""
        return self.folder / "to_confirm.csv"

    @property
    def written(self) -> Path:
        """What a language model wrote: a repeated attack reads it here."""
        return self.folder / "written.json"

    @property
    def search(self) -> Path:
        """Scores that a search has paid for: what it goes on from after it was killed."""
        return self.folder / "search.json"

    @property
    def page(self) -> Path:
        return self.run.visualizations / f"attack_{slug(self.checkpoint)}.html"

    def write_archive(self, archive: AttackArchive) -> None:
        """Replace archive.json. Raises OSError."""
        write_json_atomic(self.archive, archive.model_dump(mode="json"))

    def read_archive(self) -> AttackArchive:
        """Raises FileNotFoundError, and SchemaError for an archive that is damaged or of another version."""
        raw = read_json(self.archive)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA:
            raise SchemaError(
                f"{self.archive} is of version {version} and this Midwatch reads {SCHEMA}: delete it, attack again."
            )
        try:
            return AttackArchive.model_validate(raw)
        except ValidationError as error:
            raise SchemaError(
                f"{self.archive} is damaged ({first_fault(error)}); delete it and attack again."
            ) from error


def all_attacks(run: Run) -> list[AttackPlace]:
    """Every attack that a run has, by checkpoint's name; none of them is read."""
    return [
        place
        for checkpoint in list_directory(run.attacks)
        if (place := AttackPlace(run, checkpoint)).archive.is_file()
    ]


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> int:
    """Replace a JSONL file; how many lines it has. Raises OSError."""
    written = [json.dumps(dict(line), ensure_ascii=False) + "\n" for line in lines]
    write_bytes_atomic(path, "".join(written).encode("utf-8", "surrogatepass"))
    return len(written)
