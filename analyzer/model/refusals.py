"""What a checkpoint must be to serve as a judge; what transformers would let pass in silence is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.file_names import VOCABULARY_FILES
from analyzer.checkpoints.head_config import adapter_classes, check_task_is
from analyzer.checkpoints.soundness import without_tokenizer
from analyzer.jobs.family import Family
from analyzer.model.families import FAMILIES
from shared.errors import CheckpointChanged, CheckpointRejected, JudgeError
from shared.records import JudgeRecord

if TYPE_CHECKING:
    from transformers import PreTrainedModel


HARMLESS = ("position_ids", "token_type_ids", "rotary_emb.inv_freq", "masked_bias")
"""Endings of buffers that older versions saved and newer ones compute."""


def check_supported(directory: Path, record: JudgeRecord) -> None:
    """Refuse what cannot be a judge before anything large is read."""
    if record.kind == "prompted":
        if record.template is not None and record.template.count("{prompt}") != 1:
            raise JudgeError("The run's template must hold {prompt} exactly once: correct run.json.")
        if record.template is not None and record.template.count("{response}") > 1:
            raise JudgeError("The run's template must hold {response} once at most: correct run.json.")
        if not record.safe or not record.unsafe:
            raise JudgeError("The run names no answer that means safe, or none: run `midwatch init` again.")
        if set(record.safe) & set(record.unsafe):
            raise JudgeError("The safe and the unsafe answer are the same token: run `midwatch init` again.")
    else:
        _check_sides(record)
    if not math.isfinite(record.threshold):
        raise JudgeError("The run's threshold is not a number: run `midwatch init` again.")
    if not directory.is_dir():
        raise CheckpointChanged(f"{directory} vanished before it could be loaded.")
    if is_adapter(directory):
        check_task_is(directory, record.kind, directory.name)
    elif not any((directory / name).is_file() for name in VOCABULARY_FILES):
        raise JudgeError(without_tokenizer(directory.name))


def _check_sides(record: JudgeRecord) -> None:
    """Classes that exist, one side each, and one that is read at least."""
    safe, unsafe = set(record.safe), set(record.unsafe)
    exist = all(0 <= index < record.classes for index in safe | unsafe)
    if safe & unsafe or not safe | unsafe or not exist:
        raise JudgeError(
            f"The run says safe is class {_numbers(record.safe)} and unsafe is class {_numbers(record.unsafe)} of "
            f"{record.classes}, counted from 0: correct run.json, or run `midwatch init` again."
        )


def _numbers(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "") if ids else "none"


def check_kind(config: Any, record: JudgeRecord, name: str, given: Family | None) -> None:
    """The classes that were described; a decoder for a judge that answers; the family that was described."""
    prompted = record.kind == "prompted"
    if given is not None and given.name != config.model_type:
        raise JudgeError(f"{name} is a {config.model_type} in a run of a {given.name}: analyse it as another run.")
    family = given or FAMILIES.get(str(config.model_type))
    if prompted and family is not None and family.pooling != "last_token":
        raise JudgeError(
            f"{name} is a {config.model_type}, which reads a prompt and does not answer it: a prompted judge is a "
            "causal language model."
        )
    if not prompted and config.num_labels != record.classes:
        raise JudgeError(wrong_classes(name, config.num_labels, record))


def check_adapter_head(directory: Path, record: JudgeRecord) -> None:
    """The head that an adapter carries has the classes that were described; its base's config does not tell."""
    found = adapter_classes(directory)
    if found is not None and found != record.classes:
        raise JudgeError(wrong_classes(directory.name, found, record))


def wrong_classes(name: str, found: int, record: JudgeRecord) -> str:
    """What to do about a head that is not as the run's record describes it."""
    classes = "1 class" if found == 1 else f"{found} classes"
    return (
        f"{name} has {classes} and the run is described with {record.classes}: run `midwatch init` again with "
        "--force, or give it a run of its own."
    )


def check_answers(model: PreTrainedModel, record: JudgeRecord, name: str) -> None:
    """A prompted judge's answers are tokens of its model."""
    unembedding = model.get_output_embeddings()
    rows = 0 if unembedding is None else int(unembedding.weight.shape[0])  # type: ignore[arg-type, union-attr]
    if not all(0 <= answer < rows for answer in (*record.safe, *record.unsafe)):
        raise JudgeError(
            f"{name} has {rows} tokens, and the run's answers are tokens {_numbers(record.safe)} (safe) and "
            f"{_numbers(record.unsafe)} (unsafe): run `midwatch init` again with the answers of this model."
        )


def check_complete(config: Any, info: dict[str, Any], name: str) -> None:
    """Fail closed where transformers would fill a gap with random numbers."""
    missing = sorted(info["missing_keys"])
    mismatched = sorted(str(entry[0]) for entry in info["mismatched_keys"])
    unexpected = sorted(key for key in info["unexpected_keys"] if not key.endswith(HARMLESS))
    found = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (("missing", missing), ("mismatched", mismatched), ("unexpected", unexpected))
        if keys
    ]
    if found:
        saved_as = ", ".join(getattr(config, "architectures", None) or ["an unnamed architecture"])
        raise CheckpointRejected(
            "missing_keys",
            f"{name} does not fit its config (saved as {saved_as}): {'; '.join(found)}. Save it as what "
            "it is judged as: a sequence classifier, or a causal language model (kind: prompted).",
        )


def check_weights(model: PreTrainedModel, name: str, changed: set[str] | None) -> None:
    """Refuse weights that no training leaves behind; None looks at all of them.

    A single pass: min and max carry NaN and infinity along. Zeros may belong there (`analyzer.checkpoints.zeros`).
    """
    for key, parameter in model.named_parameters(remove_duplicate=changed is None):
        if changed is not None and key not in changed:
            continue
        low, high = (float(value) for value in torch.aminmax(parameter))
        if not (abs(low) < float("inf") and abs(high) < float("inf")):
            raise JudgeError(f"{name}: {key} holds NaN or infinity; look at an earlier checkpoint.")
