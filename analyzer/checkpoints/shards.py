"""Weights that FSDP or DeepSpeed left in shards: told by file names, and what merges them into a model."""

from __future__ import annotations

import shlex
from pathlib import Path

from analyzer.checkpoints.file_names import SHARDS
from shared.errors import CheckpointRejected

FSDP, DEEPSPEED = "pytorch_model_fsdp", "global_step"
"""How the folders begin in which they leave them, inside a checkpoint."""
MERGER = "zero_to_fp32.py"


def unmerged(directory: Path) -> CheckpointRejected | None:
    """The refusal of a checkpoint whose weights are in shards, in itself or a folder in it; None without any."""
    names = _names(directory)
    folders = [name for name in names if name.startswith((FSDP, DEEPSPEED)) and (directory / name).is_dir()]
    places = [directory, *(directory / name for name in sorted(folders))]
    for folder in places:
        shards = [name for name in (names if folder == directory else _names(folder)) if SHARDS.fullmatch(name)]
        if shards:
            fsdp = any(name.endswith(".distcp") for name in shards)
            return _refusal(directory, folder, "FSDP" if fsdp else "DeepSpeed")
    return None


def _refusal(directory: Path, folder: Path, kind: str) -> CheckpointRejected:
    out = shlex.quote(f"{directory}-merged")
    if kind == "FSDP":
        command = f"accelerate merge-weights {shlex.quote(str(folder))} {out}"
    else:
        beside = not (directory / MERGER).exists() and (directory.parent / MERGER).exists()
        place, tag = (directory.parent, f" --tag {shlex.quote(directory.name)}") if beside else (directory, "")
        command = f"cd {shlex.quote(str(place))} && python {MERGER} . {out} --safe_serialization{tag}"
    return CheckpointRejected(
        "unmerged_shards",
        f"{directory.name} holds its weights in shards of {kind}; merge them with `{command}`, and put config.json "
        "and the tokenizer beside what it writes.",
    )


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
