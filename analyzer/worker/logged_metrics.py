"""What was logged while a checkpoint came to be: metrics.jsonl, or a plain Trainer's own log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzer.checkpoints.trainer_state import number, trainer_state
from shared.metrics import read_metrics
from shared.records import MetricsLine
from shared.run import Run

LOG_PREFIXES = {"eval_": "val", "test_": "test", "train_": "train"}
NOT_METRICS = {"epoch", "step", "total_flos", "runtime", "samples_per_second", "steps_per_second"}


def metrics_until(run: Run, checkpoint: Path, step: int) -> list[MetricsLine]:
    """What was logged up to `step`: metrics.jsonl, or what this checkpoint's trainer_state.json remembers."""
    lines = list(read_metrics(run)) or logged_metrics(trainer_state(checkpoint))
    return [line for line in lines if line.step <= step]


def logged_metrics(state: dict[str, Any]) -> list[MetricsLine]:
    """A Trainer's `log_history` as metrics lines: eval_ is validation, what has no prefix is training."""
    history = state.get("log_history")
    lines: list[MetricsLine] = []
    for entry in history if isinstance(history, list) else []:
        step = entry.get("step") if isinstance(entry, dict) else None
        if not isinstance(step, int):
            continue
        by_split: dict[str, dict[str, float]] = {}
        for key, value in entry.items():
            prefix = next((p for p in LOG_PREFIXES if key.startswith(p)), "")
            name = key.removeprefix(prefix)
            if name not in NOT_METRICS and (found := number(value)) is not None:
                by_split.setdefault(LOG_PREFIXES.get(prefix, "train"), {})[name] = found
        epoch = number(entry.get("epoch"))
        lines += [MetricsLine(step=step, epoch=epoch, split=s, values=v) for s, v in by_split.items()]  # type: ignore[arg-type]
    return lines
