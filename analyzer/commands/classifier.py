"""What `midwatch init` is told of a classifier, and the record that this makes of its config; no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from analyzer.checkpoints.head_config import TASKS, task_of
from analyzer.commands.prompted.settings import PromptedSettings
from shared.errors import UsageError
from shared.judge_labels import ClassifierRead, Word, class_names, read_classifier
from shared.prompts.source_settings import SourceSettings
from shared.records import Label

VALUE_HEAD = "value_head.safetensors"
"""Where LLaMA-Factory keeps the head of a reward model; the rest is a causal language model or its adapter."""


class ClassifierSettings(SourceSettings):
    """How a classifier's verdict is read. What its config's class names say need not be said."""

    unsafe_label: str | None = None
    """Name or index of the model's class that means unsafe, several separated by commas. Read from its config when
    not given."""
    safe_label: str | None = None
    """Name or index of the model's class that means safe, several separated by commas. Read from its config when
    not given."""
    threshold: float | None = None
    """Where the verdict turns, on the scale of the head's output: of a reward model the reward, of labels with an
    output each the logit, of classes the log-odds of unsafe. 0 when not given."""
    higher_is: Literal["safe", "unsafe"] | None = None
    """Heads with one output (reward models): what a high output means."""


def described_classifier(
    settings: ClassifierSettings, config: dict[str, Any], max_length: int, *, own_data: bool
) -> ClassifierRead:
    """The judge's record and the names of its classes. Raises UsageError as `read_classifier` does.

    --unsafe-labels says which values of a data set's labels are unsafe. Where no data set of the user's is read
    (`own_data`), or where all of them are names of classes, it says it of the model's classes, too.
    """
    higher: Label | None = settings.higher_is
    word = Word(settings.safe_label, settings.unsafe_label, settings.threshold, higher)
    if word.safe is None and word.unsafe is None and settings.unsafe_labels:
        names = {name.strip().casefold() for name in class_names(config).values()}
        if not own_data or all(label.casefold() in names for label in settings.unsafe_labels):
            word = word._replace(unsafe=",".join(settings.unsafe_labels))
    return read_classifier(config, word, max_length)


def check_flags_fit(settings: ClassifierSettings, kind: str) -> None:
    """Raises UsageError for a flag of the other kind of judge, which would be passed over in silence."""
    own, other = (
        (ClassifierSettings, PromptedSettings) if kind == "classifier" else (PromptedSettings, ClassifierSettings)
    )
    told = [
        f"--{name.replace('_', '-')}"
        for name, field in other.model_fields.items()
        if name not in own.model_fields
        and name != "like"  # which names a classifier, too
        and getattr(settings, name, field.default) != field.get_default(call_default_factory=True)
    ]
    if not told:
        return
    if kind == "prompted":
        raise UsageError(
            f"{told[0]} is for classifiers; a prompted judge is told with --unsafe-answer and --safe-answer."
        )
    raise UsageError(
        f"{told[0]} is for judges that answer in words, and this one is a classifier; which of its classes is "
        "unsafe is said with --unsafe-label."
    )


def check_head(checkpoint: Path) -> None:
    """Raises UsageError for a reward head that lies in a file of its own, as LLaMA-Factory keeps it."""
    if (checkpoint / VALUE_HEAD).is_file():
        raise UsageError(
            f"{checkpoint.name} keeps its reward head in {VALUE_HEAD}, which is not read: make a classifier of "
            "it as docs/classifiers.md shows, and give its run."
        )


def check_task(checkpoint: Path, kind: str | None) -> None:
    """Raises UsageError for an adapter of the other kind of model, as its config says (`task_type`)."""
    task = task_of(checkpoint)
    if kind == "classifier" and TASKS.get(task) == "prompted":
        raise UsageError(
            f"{checkpoint.name} is an adapter of a causal language model (task_type {task}), which answers with a "
            "word: pass --kind prompted, with its template and answers."
        )
    if kind == "prompted" and TASKS.get(task) == "classifier":
        raise UsageError(
            f"{checkpoint.name} is an adapter of a sequence classifier (task_type {task}), which gives a verdict "
            "without an answer: leave --kind prompted out."
        )
