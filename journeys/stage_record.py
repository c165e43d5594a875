"""pipeline.json: what became of each stage, so that a pipeline that was stopped goes on.

On disk, paths below the pipeline's directory are written from there (`HERE`), so that it may be moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field

from journeys.stage import State
from shared.errors import SchemaError, UsageError
from shared.files import read_record, write_record
from shared.records import Frozen

HERE = "{here}"
"""Stands for the pipeline's directory in a recorded command."""


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

    schema_version: int = 2
    root: str = ""
    """Where the directory lay when this was written. Before version 2 unknown, and paths were whole."""
    stages: dict[str, StageRecord] = Field(default_factory=dict)


class RecordFile:
    """The file, kept up to date."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError for a file that is none of ours."""
        self.path, self._here = path, str(path.parent)
        try:
            self.record = read_record(path, PipelineRecord)
        except FileNotFoundError:
            self.record = PipelineRecord()
        except SchemaError as error:
            raise UsageError(f"{error} Delete it: what is done is seen from the files themselves.") from error

        was = self.record.root or _root_of(self.record)
        self._was = was or self._here
        self.record = self.record.model_copy(
            update={"stages": {name: _told(each, was, HERE) for name, each in self.record.stages.items()}}
        )

    def get(self, name: str) -> StageRecord | None:
        """The record with its command as it would be given now."""
        found = self.record.stages.get(name)
        return found and _told(found, HERE, self._here)

    def unfinished(self) -> Iterator[tuple[str, StageRecord]]:
        """Stages that ran when the record was left, with their commands as they were given then."""
        for name, each in self.record.stages.items():
            if each.state is State.RUNNING and each.words:
                yield name, _told(each, HERE, self._was)

    def set(self, name: str, stage: StageRecord) -> None:
        """Replace one stage's record, on disk too. Raises OSError."""
        stages = self.record.stages | {name: _told(stage, self._here, HERE)}
        self.record = PipelineRecord(root=self._here, stages=stages)
        write_record(self.path, self.record)


def _told(stage: StageRecord, before: str, after: str) -> StageRecord:
    """The same with its command's paths below `before` written from `after`."""
    words = [after + word[len(before) :] if _below(word, before) else word for word in stage.words]
    return stage.model_copy(update={"words": words})


def _below(word: str, folder: str) -> bool:
    return bool(folder) and (word == folder or word.startswith(f"{folder}/"))


def _root_of(record: PipelineRecord) -> str:
    """The directory of a record of version 1, from commands that name what lies in it; empty where none does."""
    for name, option in (("prepare", "prepare"), ("train", "--output-dir")):
        words = record.stages[name].words if name in record.stages else []
        if option in words[:-1]:
            return str(Path(_after(words, option)).parent)
    return ""


def _after(words: Sequence[str], option: str) -> str:
    return words[words.index(option) + 1]
