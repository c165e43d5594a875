"""Announce each checkpoint once it is complete: one small commit file, written after the save.

Standard library only, and nothing else of Midwatch: copy this one file beside any training script and add
`Trainer(..., callbacks=[AnnounceCheckpoint()])`. It hashes nothing, opens no weights, and never stops a training.
With `AnnounceCheckpoint(hash=True)` it reads the weights once more and notes their SHA-256, so that damage inside a
tensor is seen later; the training waits for that, about a second a GiB.

The commit file `<output_dir>/_midwatch/commits/checkpoint-<step>.json` lists the checkpoint's files as they are:
    {"schema_version": 1, "checkpoint": "checkpoint-120", "step": 120, "epoch": 1.0, "written_at": 1700000000.0,
     "files": [{"name": "config.json", "size": 612, "mtime_ns": 1700000000000000000}, ...],
     "metrics": {"val_f1": 0.93}}
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

NOT_METRICS = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time", "epoch", "step")


class AnnounceCheckpoint:
    """Callback for transformers' Trainer; only the main process writes.

    It needs no base class: Trainer calls callbacks by the event's name, and every event but `on_save` is ignored.
    `hash` notes the SHA-256 of each weights file, for which the training waits.
    """

    def __init__(self, hash: bool = False) -> None:
        self.hash = hash

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Trainer calls this when everything of the checkpoint is written and old checkpoints are deleted."""
        if not state.is_world_process_zero:
            return
        try:
            metrics = newest_metrics(state.log_history)
            announce(Path(args.output_dir), state.global_step, state.epoch, metrics, hash_weights=self.hash)
        except OSError as error:
            # a training is worth more than its analysis: the analyzer falls back on watching the directory
            logger.warning("checkpoint-%s could not be announced: %s", state.global_step, error)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Any other event, also of a future transformers: nothing to do."""
        if name.startswith("on_"):
            return _ignore
        raise AttributeError(name)


def _ignore(*args: Any, **kwargs: Any) -> None:
    """An event that is not ours."""


def announce(
    output_dir: Path, step: int, epoch: float | None, metrics: dict[str, float], *, hash_weights: bool = False
) -> Path:
    """Write the commit file of `checkpoint-<step>` by rename and return its path. Raises OSError.

    Any training loop may call it once all files of `<output_dir>/checkpoint-<step>/` are written.
    """
    name = f"checkpoint-{step}"
    record = {
        "schema_version": 1,
        "checkpoint": name,
        "step": step,
        "epoch": epoch,
        "files": list_files(output_dir / name, hash_weights=hash_weights),
        "metrics": metrics,
        "written_at": time.time(),
    }
    commits = output_dir / "_midwatch" / "commits"
    for folder in (commits.parent, commits):
        if folder.is_symlink():
            raise OSError(errno.ELOOP, "is a symbolic link, which is not followed; remove it", str(folder))
    commits.mkdir(parents=True, exist_ok=True)
    for left in commits.glob(".checkpoint-*.tmp"):  # by a training that was killed just here
        left.unlink(missing_ok=True)
    temporary = commits / f".{name}.{os.getpid()}.tmp"
    try:
        with temporary.open("x", encoding="utf-8") as file:  # never through a link that stands there
            file.write(json.dumps(record, allow_nan=False))
        temporary.replace(commits / f"{name}.json")
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return commits / f"{name}.json"


def list_files(checkpoint: Path, *, hash_weights: bool = False) -> list[dict[str, Any]]:
    """Name, size in bytes and mtime in ns of each regular file directly inside, by name. Raises OSError.

    `hash_weights` adds the "sha256" of each safetensors file. A name that is not UTF-8 is no model's, and is left
    out.
    """
    files = []
    with os.scandir(checkpoint) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and _is_text(entry.name):
                found = entry.stat(follow_symlinks=False)
                file = {"name": entry.name, "size": found.st_size, "mtime_ns": found.st_mtime_ns}
                if hash_weights and entry.name.endswith(".safetensors"):
                    file["sha256"] = _sha256(entry.path)
                files.append(file)
    return sorted(files, key=lambda file: file["name"])


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123 (its name is one already)
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def newest_metrics(log_history: list[dict[str, Any]]) -> dict[str, float]:
    """The newest evaluation in Trainer's log, as `val_<name>`; train_ and contrast_ metrics keep their name."""
    for entry in reversed(log_history):
        values = {name.removeprefix("eval_"): value for name, value in entry.items() if name.startswith("eval_")}
        if values:
            return {
                name if name.startswith(("train_", "contrast_")) else f"val_{name}": float(value)
                for name, value in values.items()
                if isinstance(value, int | float) and math.isfinite(value) and name not in NOT_METRICS
            }
    return {}
