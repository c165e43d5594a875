"""What the analyzer has to know about a run: from run.json, or from what plain transformers left."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.errors import SchemaError, UsageError
from shared.files import read_json, read_record
from shared.judge_labels import labels_warning, resolve_labels
from shared.records import JudgeRecord, RunRecord
from shared.run import Run, step_of


def run_record(run: Run) -> RunRecord | None:
    """run.json; None for a run nobody described. Raises SchemaError when it is damaged."""
    try:
        return read_record(run.record, RunRecord)
    except FileNotFoundError:
        return None


def describe(
    checkpoint: Path, run: Run, safe: str | None = None, unsafe: str | None = None
) -> tuple[RunRecord, list[str]]:
    """A record for a run without run.json, from a checkpoint's own config and the user's word about labels.

    Also returns what has to be said about it. Raises UsageError when the classes are not two, or which of them is
    unsafe cannot be told.
    """
    try:
        config = read_json(checkpoint / "config.json")
    except (OSError, SchemaError) as error:
        raise UsageError(
            f"{run.name} does not say what its classes are; describe it with `midwatch init {run.path}`."
        ) from error
    config = config if isinstance(config, dict) else {}
    if any(str(name).endswith("ForCausalLM") for name in config.get("architectures") or []):
        raise UsageError(
            f"{run.name} is a causal language model: say how it answers with `midwatch init {run.path} "
            "--kind prompted --template ... --unsafe-answer ... --safe-answer ...`."
        )
    safe_id, unsafe_id = resolve_labels(config, safe, unsafe)
    assumed = labels_warning(config, safe, unsafe)
    state = trainer_state(checkpoint)
    steps = state.get("max_steps")
    record = RunRecord(
        judge=JudgeRecord(safe_id=safe_id, unsafe_id=unsafe_id),
        model=str(config.get("_name_or_path") or ""),
        epochs=number(state.get("num_train_epochs")),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
    )
    return record, [assumed] if assumed else []


def trainer_state(checkpoint: Path) -> dict[str, Any]:
    """trainer_state.json of a checkpoint; empty when there is none that can be read."""
    try:
        state = read_json(checkpoint / "trainer_state.json")
    except (OSError, SchemaError):
        return {}
    return state if isinstance(state, dict) else {}


def training_over(
    record: RunRecord | None, checkpoints: Iterable[str], newest_change: float, now: float, quiet_s: float
) -> bool:
    """Whether the training has ended: its last planned step is saved, or nothing changed for `quiet_s` seconds."""
    last = max((step_of(name) or 0 for name in checkpoints), default=0)
    if last == 0:
        return False
    planned = record.steps if record is not None else None
    return (planned is not None and last >= planned) or now - newest_change >= quiet_s


def needs_probes(run: Run, given: Path | None) -> str:
    """What to do about a run without a probe set."""
    if given is not None:
        return f"The probe set {given} cannot be read; give --probes FILE (JSONL with text and label)."
    return f"{run.name} has no probe set to be analysed on: run `midwatch init {run.path}`, or give --probes FILE."


def number(value: object) -> float | None:
    """A finite number, else None: what a file says may be infinite, huge, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
