"""What a checkpoint must be to serve as a judge; what transformers would let pass in silence is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.file_names import VOCABULARY_FILES
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
        if record.safe_id == record.unsafe_id:
            raise JudgeError("The safe and the unsafe answer are the same token: run `midwatch init` again.")
    elif {record.safe_id, record.unsafe_id} != {0, 1}:
        raise JudgeError(
            f"The run says safe is class {record.safe_id} and unsafe is class {record.unsafe_id}; a classifier's "
            "two classes are 0 and 1: correct run.json, or run `midwatch init` again."
        )
    if not directory.is_dir():
        raise CheckpointChanged(f"{directory} vanished before it could be loaded.")
    if not is_adapter(directory) and not any((directory / name).is_file() for name in VOCABULARY_FILES):
        raise JudgeError(
            f"{directory.name} has no tokenizer; give the Trainer `processing_class=tokenizer` so that it is saved "
            "with each checkpoint, or copy tokenizer.json and tokenizer_config.json into it."
        )


def check_kind(config: Any, prompted: bool, name: str, given: Family | None) -> None:
    """Two classes for a classifier; a decoder for a judge that answers; the family that was described."""
    if given is not None and given.name != config.model_type:
        raise JudgeError(f"{name} is a {config.model_type} in a run of a {given.name}: analyse it as another run.")
    family = given or FAMILIES.get(str(config.model_type))
    if prompted and family is not None and family.pooling != "last_token":
        raise JudgeError(
            f"{name} is a {config.model_type}, which reads a prompt and does not answer it: a prompted judge is a "
            "causal language model."
        )
    if not prompted and config.num_labels != 2:
        classes = "1 class" if config.num_labels == 1 else f"{config.num_labels} classes"
        raise JudgeError(
            f"{name} has {classes}; a judge has exactly two, safe and unsafe: train with num_labels=2."
        )


def check_answers(model: PreTrainedModel, answers: tuple[int, int], name: str) -> None:
    unembedding = model.get_output_embeddings()
    rows = 0 if unembedding is None else int(unembedding.weight.shape[0])  # type: ignore[arg-type, union-attr]
    if not all(0 <= answer < rows for answer in answers):
        raise JudgeError(
            f"{name} has {rows} tokens, and the run's answers are tokens {answers[0]} (safe) and {answers[1]} "
            "(unsafe): run `midwatch init` again with the answers of this model."
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
            "it is judged as: a two-class sequence classifier, or a causal language model (kind: prompted).",
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
