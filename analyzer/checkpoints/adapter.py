"""A checkpoint that is a PEFT adapter, as far as its files tell: whether it is one, and what it calls its base."""

from __future__ import annotations

from pathlib import Path

from analyzer.checkpoints.file_names import ADAPTER_CONFIG
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json

MAX_NAME = 4096
"""Characters of a base model's name: as long as a path may be."""


def is_adapter(directory: Path) -> bool:
    """Whether a checkpoint is an adapter."""
    return (directory / ADAPTER_CONFIG).is_file()


def base_of(directory: Path, name: str = "") -> str:
    """Directory or hub name of the adapter's base model. Raises CheckpointRejected ("bad_config").

    `name` is what sentences call the adapter, where its directory is a pin.
    """
    name = name or directory.name
    try:
        base = read_json(directory / ADAPTER_CONFIG).get("base_model_name_or_path")
    except (SchemaError, AttributeError) as error:
        raise CheckpointRejected("bad_config", f"{name}/{ADAPTER_CONFIG} cannot be read.") from error
    if not isinstance(base, str) or not base or len(base) > MAX_NAME or not base.isprintable():
        raise CheckpointRejected(
            "bad_config", f"{name}/{ADAPTER_CONFIG} does not name its base model; write its directory into it."
        )
    return base
