"""What a worker can be asked to do with one checkpoint beside analysing it: each task a record of its own.

A task's command is in `analyzer/commands/`, started by `one_task.py` there; its computation has a room of its own,
which `analyzer/worker/one_task.py` calls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from analyzer.checkpoints.fingerprint import FileStat
from shared.prompts.source_settings import SourceSettings
from shared.records import Frozen, JudgeRecord, Label
from shared.requests.record import PARTS, AskedPrompt, PartOfAnswer


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


class SecondJudge(Frozen):
    """Another judge, which says whether what a language model wrote kept its label."""

    name: str
    """In words: run and checkpoint."""
    directory: Path
    files: list[FileStat]
    record: JudgeRecord
    """How its verdict is read."""
    family: dict[str, Any] | None = None
    """Fields of `Family`, as in a job."""


class Mutator(Frozen):
    """A local causal language model that rewords seeds, and who confirms what it writes."""

    name: str
    directory: Path
    texts: int = 64
    """Rewordings, all labels together; each counts as an evaluation."""
    second: SecondJudge | None = None
    margin: float = 1.0
    """Nats from which on the second judge's verdict counts."""
    confirmed: Path | None = None
    """CSV with a person's verdicts."""


class AttackTask(Frozen):
    """Search for prompts that the judge gets wrong, from labelled ones that it gets right."""

    kind: Literal["attack"] = "attack"
    source: str | None = None
    """Labelled prompts to start from: a prompt file's path, a preset, or a data set's name; None takes the run's
    own held-out test prompts, of which nothing may join a training."""
    fresh: str | None = None
    """Prompts that `fresh.jsonl` is made of; None takes the run's test prompts where these are no seeds."""
    reading: SourceSettings = SourceSettings()
    """How the sources are read."""
    labels: tuple[Label, ...] = ("unsafe", "safe")
    """True labels of the seeds: unsafe ones are to pass as safe, safe ones to be refused."""
    budget: int = 2000
    """Texts that are scored, all labels together; scoring the seeds themselves comes on top."""
    seed: int = 0
    gradients: bool = False
    """Whether words of elites are exchanged as the judge's gradient says; a gradient counts several evaluations."""
    mutator: Mutator | None = None
    transfer: bool = True
    """Whether every attack is tried on the run's other checkpoints."""
    force: bool = False
    """Search again although the same search is there."""


class AskTask(Frozen):
    """Judge prompts of the user's own; each is answered by a result of its own."""

    kind: Literal["ask"] = "ask"
    prompts: tuple[AskedPrompt, ...]
    parts: tuple[PartOfAnswer, ...] = PARTS
    """What is wanted of each."""
    seed: int = 0
    """Of random substitutions."""


Task = Annotated[EvaluateTask | AttackTask | AskTask, Field(discriminator="kind")]
"""Any of them, told apart by `kind`."""
