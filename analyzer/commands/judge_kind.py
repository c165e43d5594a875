"""Which kind of judge a checkpoint is: told by its architecture, an adapter's task, or the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzer.checkpoints import architectures
from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.architectures import Kind
from analyzer.checkpoints.head_config import check_adapter_judges, task_of
from analyzer.commands.prompted.presets import find_guard
from shared.errors import CheckpointRejected, UsageError
from shared.judge_labels import class_names

TASKS: dict[str, Kind] = {"SEQ_CLS": "classifier", "CAUSAL_LM": "prompted"}
"""PEFT's task_type."""


def kind_of(checkpoint: Path, config: dict[str, Any], given: Kind | None, like: str | None) -> Kind:
    """The kind that was given, or the one that the checkpoint says; a classifier where it says nothing.

    Raises UsageError where the two contradict each other, and for a model of neither kind.
    """
    preset: Kind | None = find_guard(like).kind if like is not None else None
    if given is not None and preset is not None and given != preset:
        raise UsageError(f"--like {like} is a {preset}, and --kind says {given}; give one of them.")
    wanted = given or preset
    said, what = _said(checkpoint, config)
    if what and said is None:
        raise UsageError(
            f"{checkpoint.name} is a {what}, and a judge is a sequence classifier or a causal language model; "
            "give a run of one."
        )
    if wanted is not None and said is not None and wanted != said:
        by = "with --kind prompted, if it answers with a word" if said == "prompted" else "with --kind classifier"
        flag = f"--like {like}" if given is None else f"--kind {given}"
        raise UsageError(
            f"{checkpoint.name} is a {what}, which {flag} does not fit; read it {by}, or leave it out."
        )
    return wanted or said or "classifier"


def unsafe_classes(like: str, config: dict[str, Any]) -> str | None:
    """The unsafe classes of a classifier that --like names, as --unsafe-label takes them; None if unknown."""
    labels, names = find_guard(like).labels, class_names(config)
    unsafe = [str(index) for index, name in names.items() if labels.get(name.strip().casefold()) == "unsafe"]
    if not unsafe and len(names) <= 3:  # nameless: benign comes first
        unsafe = [str(index) for index in names if index]
    return ",".join(unsafe) or None


def _said(checkpoint: Path, config: dict[str, Any]) -> tuple[Kind | None, str]:
    """(kind, what the checkpoint calls itself); (None, "") where it says nothing. Raises UsageError."""
    try:
        if is_adapter(checkpoint):
            check_adapter_judges(checkpoint)
            task = task_of(checkpoint)
            return TASKS.get(task), f"{task} adapter" if task in TASKS else ""
        return architectures.kind_of(config, checkpoint.name), architectures.architecture(config)
    except CheckpointRejected as error:
        raise UsageError(str(error)) from error
