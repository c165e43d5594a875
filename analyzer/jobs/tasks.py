"""What a worker can be asked to do with one checkpoint beside analysing it: each task a record of its own.

A task's command is in `analyzer/commands/`, started by `one_task.py` there; its computation has a room of its own,
which `analyzer/worker/one_task.py` calls.
"""

from __future__ import annotations

from typing import Literal

from shared.prompts.source_settings import SourceSettings
from shared.records import Frozen


class EvaluateTask(Frozen):
    """Measure the judge on labelled prompts."""

    kind: Literal["evaluate"] = "evaluate"
    name: str
    """What the data is called among the run's evaluations: "test" for the held-out split, else the file's stem."""
    source: str
    """A prompt file's path, a preset, or a data set's name."""
    reading: SourceSettings = SourceSettings()
    """How the source is read."""
    chosen: str = ""
    """By what the checkpoint was chosen; empty where the user named it."""
    mistakes: int = 6
    """Wrong verdicts of each kind, missed and refused, that are told with their words."""
    seed: int = 0
    """Of bootstrap draws."""


Task = EvaluateTask
"""Any of them. With a second one: a union, told apart by `kind`."""
