"""pipeline.json: what became of each stage, so that a pipeline that was stopped goes on."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from journeys.stage import State
from shared.errors import SchemaError, UsageError
from shared.files import read_record, write_record
from shared.records import Frozen


class StageRecord(Frozen):
    """One stage."""

    state: State
    words: list[str] = Field(default_factory=list)
    """The command as it was given, without what only resuming adds."""
    inputs: str = ""
    """SHA-256 of the files it depended on; empty where there were none."""
    pid: int | None = None
    """Its process, while it runs."""
    over_earlier: bool = False
    """Whether work of an earlier command was there when it began: if it does not end well, that is not its own."""
    seconds: float = 0.0
    """Time it took when it ran last."""
    cause: str = ""
    """Why it failed or was left out."""


class PipelineRecord(Frozen):
    """All stages by name."""

    schema_version: int = 1
    stages: dict[str, StageRecord] = Field(default_factory=dict)


class RecordFile:
    """The file, kept up to date."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for a file that is none of ours."""
        self.path = path
        try:
            self.record = read_record(path, PipelineRecord)
        except FileNotFoundError:
            self.record = PipelineRecord()
        except SchemaError as error:
            raise UsageError(f"{error} Delete it: what is done is seen from the files themselves.") from error

    def get(self, name: str) -> StageRecord | None:
        return self.record.stages.get(name)

    def set(self, name: str, stage: StageRecord) -> None:
        """Replace one stage's record, on disk too. Raises OSError."""
        self.record = PipelineRecord(stages=self.record.stages | {name: stage})
        write_record(self.path, self.record)
