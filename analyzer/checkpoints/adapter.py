"""A checkpoint that is a PEFT adapter, as far as its files tell: whether it is one, its base, the base's type."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from analyzer.checkpoints.file_names import ADAPTER_CONFIG, CONFIG
from shared.errors import CheckpointRejected, SchemaError
from shared.files import read_json


def is_adapter(directory: Path) -> bool:
    """Whether a checkpoint is an adapter."""
    return (directory / ADAPTER_CONFIG).is_file()


def base_of(directory: Path, name: str = "") -> str:
    """Directory or hub name of the adapter's base model. Raises CheckpointRejected ("bad_config").

    `name` is what sentences call the adapter, where its directory is a pin.
    """
    name = name or directory.name
    try:
        base = json.loads((directory / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise CheckpointRejected("bad_config", f"{name}/{ADAPTER_CONFIG} cannot be read.") from error
    if not isinstance(base, str) or not base:
        raise CheckpointRejected(
            "bad_config", f"{name}/{ADAPTER_CONFIG} does not name its base model; write its directory into it."
        )
    return base


def model_type(directory: Path) -> str:
    """The `model_type` of a checkpoint's config, of an adapter its base's; empty where that is not on this disk."""
    try:
        home = Path(base_of(directory)) if is_adapter(directory) else directory
        config = read_json(home / CONFIG)
    except (OSError, SchemaError, CheckpointRejected):
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


def base_digest(directory: Path) -> str:
    """What tells one base from another: its config, and names, sizes and times of its weights."""
    base = Path(base_of(directory))
    digest = hashlib.sha256(str(base).encode())
    for path in sorted(base.glob("*")) if base.is_dir() else []:
        if path.name == CONFIG:
            digest.update(path.read_bytes())
        elif path.suffix == ".safetensors":
            found = path.stat()
            digest.update(f"{path.name} {found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()
