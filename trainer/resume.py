"""Which checkpoint a run can be continued from."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open

from shared.checkpoint_names import step_of
from shared.errors import SchemaError
from shared.files import read_json, read_record
from shared.records import CommitRecord
from shared.run import Run


def last_complete(run: Run) -> Path | None:
    """The newest checkpoint that is whole, or None; a half-written one is passed over."""
    for name in reversed(run.checkpoints()):
        if step_of(name) is not None and is_complete(run, name):
            return run.path / name
    return None


def is_complete(run: Run, checkpoint: str) -> bool:
    """Whether Trainer finished it: trainer_state.json, written last, says its step, and weights are whole.

    The commit file's sizes must fit where there is one; a copied run may have other mtimes.
    """
    path = run.path / checkpoint
    try:
        state = read_json(path / "trainer_state.json")
        if not isinstance(state, dict) or state.get("global_step") != step_of(checkpoint):
            return False
        for weights in path.glob("*.safetensors"):
            with safe_open(weights, framework="np"):  # reads the header and compares it with the file's size
                pass
        needed = ("optimizer.pt", "scheduler.pt", "config.json")
        return all((path / name).is_file() for name in needed) and _fits_commit(run, checkpoint)
    except (OSError, SchemaError, SafetensorError):
        return False


def _fits_commit(run: Run, checkpoint: str) -> bool:
    try:
        commit = read_record(run.commits / f"{checkpoint}.json", CommitRecord)
    except FileNotFoundError:
        return True  # the announcement may have failed (see trainer/announce.py); the save did not
    return all((run.path / checkpoint / file.name).stat().st_size == file.size for file in commit.files)
