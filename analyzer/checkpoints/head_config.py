"""What a checkpoint's files say of its kind and classes; of an adapter, its base's config and its own head."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer.checkpoints.adapter import base_of, is_adapter
from analyzer.checkpoints.architectures import OTHERWISE, WANTED, Kind, kind_of
from analyzer.checkpoints.base_model import base_config
from analyzer.checkpoints.file_names import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CONFIG
from analyzer.checkpoints.safetensors_header import read_header
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json
from shared.judge_labels import UNREAD_BASE

HEAD = re.compile(
    r"base_model\.model\.(?:score|classifier|classification_head|logits_proj|classifier\.out_proj"
    r"|classification_head\.out_proj)\.(?:modules_to_save\.(?:\w+\.)?)?(?:weight|lora_B(?:\.\w+)?\.weight)"
)
"""An adapter's tensors whose first dimension is the number of classes."""
OF_CLASSES = ("id2label", "label2id", "num_labels", "problem_type", UNREAD_BASE)
"""What a config says of its classes."""
SHOWN = 100
"""Characters of a base model's name in a sentence."""
TASKS: dict[str, Kind] = {"SEQ_CLS": "classifier", "CAUSAL_LM": "prompted"}
"""PEFT's `task_type` -> how a judge with such an adapter gives its verdict."""
OTHER_TASKS = ("TOKEN_CLS", "QUESTION_ANS", "SEQ_2_SEQ_LM")
"""What PEFT calls the tasks of adapters that no verdict is read from."""


def head_config(checkpoint: Path, home: Path | None = None) -> dict[str, Any]:
    """A classifier's config as far as classes go. `home` is an adapter's base model, where it is known.

    Of an adapter: its own config.json where one lies beside it and says it, else its base's; and never more or
    fewer classes than its head has, whose names the base then does not know. Raises OSError or SchemaError where a
    whole model's config cannot be read, CheckpointRejected ("bad_config") for an adapter without a base.
    """
    if not is_adapter(checkpoint):
        return _read(checkpoint / CONFIG)
    found = _base_config(checkpoint, home)
    if (checkpoint / CONFIG).is_file():
        own = _read(checkpoint / CONFIG)
        if own.get("id2label") or own.get("num_labels"):
            found = {name: value for name, value in found.items() if name not in OF_CLASSES} | own
    count = adapter_classes(checkpoint)
    if count is not None and count != _count(found):
        unread = {name: found[name] for name in (UNREAD_BASE,) if name in found}
        found = {name: value for name, value in found.items() if name not in OF_CLASSES} | {"num_labels": count}
        found |= unread
    return found


def task_of(checkpoint: Path) -> str:
    """An adapter's `task_type` ("SEQ_CLS", "CAUSAL_LM"); empty where it says none, and for what is no adapter."""
    if not is_adapter(checkpoint):
        return ""
    try:
        return str(_read(checkpoint / ADAPTER_CONFIG).get("task_type") or "")
    except (OSError, SchemaError):
        return ""


def kind_said(checkpoint: Path, config: Mapping[str, Any]) -> Kind | None:
    """How a checkpoint with this config can judge: an adapter by its task; None where neither says it.

    Raises CheckpointRejected ("no_judge") for a model of another kind.
    """
    if not is_adapter(checkpoint):
        return kind_of(config, checkpoint.name)
    return _kind_of_task(task_of(checkpoint), checkpoint.name)


def check_task_is(checkpoint: Path, wanted: Kind, name: str) -> None:
    """Raise CheckpointRejected ("no_judge") for an adapter of another task than the run's record says.

    `name` is what the sentence calls the checkpoint, where its directory is a pin.
    """
    task = task_of(checkpoint)
    found = _kind_of_task(task, name)
    if found is not None and found != wanted:
        raise CheckpointRejected(
            "no_judge",
            f"{name} is a {task} adapter, and the run's {wanted} judge is {WANTED[wanted]}; {OTHERWISE[found]}.",
        )


def _kind_of_task(task: str, name: str) -> Kind | None:
    if task in OTHER_TASKS:
        raise CheckpointRejected(
            "no_judge",
            f"{name} is a {task} adapter, and a judge is a sequence classifier (SEQ_CLS) or a causal "
            "language model (CAUSAL_LM); give a run of one.",
        )
    return TASKS.get(task)


def adapter_classes(checkpoint: Path) -> int | None:
    """Classes of the head that an adapter carries; None where it carries none."""
    try:
        header = read_header(checkpoint / ADAPTER_WEIGHTS)
    except (OSError, CheckpointRejected):
        return None  # said where the checkpoint is looked at as a whole
    heads = [span.shape[0] for name, span in header.items() if HEAD.fullmatch(name) and span.shape]
    return heads[-1] if heads else None


def _base_config(checkpoint: Path, home: Path | None) -> dict[str, Any]:
    """The base model's; where it cannot be read its name and why, which is said where that matters."""
    name = base_of(checkpoint)
    base = {"_name_or_path": name}
    place = home or base_config(checkpoint)
    if place is None:
        return base | {UNREAD_BASE: f"{name[:SHOWN]}, which is not on this machine"}
    try:
        return _read(place / CONFIG) | base
    except (OSError, SchemaError):
        return base | {UNREAD_BASE: f"{str(place)[-SHOWN:]}, whose {CONFIG} cannot be read"}


def _read(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise SchemaError(f"{path} is not a model's config; save the checkpoint again.")
    return value


def _count(config: dict[str, Any]) -> int:
    """How many classes transformers gives such a config."""
    names = config.get("id2label")
    if isinstance(names, dict) and names:
        return len(names)
    count = config.get("num_labels")
    return count if isinstance(count, int) else 2
