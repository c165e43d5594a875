"""Which checkpoints are wanted. Pure functions over what is known about a run."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.results import whole_epoch

POLICY = re.compile(r"^(newest|all|every:[1-9]\d*)$")


class Point(NamedTuple):
    """A checkpoint on the way of a training."""

    name: str
    step: int
    epoch: float | None


def parse_policy(text: str) -> str:
    """A policy as given; raises ValueError in words for people."""
    if POLICY.match(text):
        return text
    raise ValueError("a policy is newest, all, or every:N (every Nth checkpoint)")


def left_out(points: Sequence[Point], policy: str, interval: int, training_over: bool) -> dict[str, str]:
    """Checkpoints that nobody wants, and why. `points` are all that were ever seen, by step.

    The first is always wanted. The last always is too, which is known only once the training is over: until then
    the newest waits for what comes after it.
    """
    if not points:
        return {}
    every = int(policy.partition(":")[2] or 1)
    kept = {points[0].name} | ({points[-1].name} if training_over else set())
    skipped = {}
    for index, point in enumerate(points):
        if point.name in kept:
            continue
        if index % every:
            skipped[point.name] = f"Left out by --policy {policy}."
        elif interval > 1 and not _on_interval(points, index, interval):
            skipped[point.name] = f"Left out by --interval {interval} (epochs); the last one is always analysed."
    return skipped


def _on_interval(points: Sequence[Point], index: int, interval: int) -> bool:
    """Whether a checkpoint is the first one saved at or after a multiple of `interval` epochs.

    A checkpoint without an epoch is always on: better one too many than none.
    """
    epoch, before = points[index].epoch, points[index - 1].epoch
    if epoch is None or before is None:
        return True
    return _completed(epoch) // interval > _completed(before) // interval


def _completed(epoch: float) -> int:
    """Epochs completed; rounding in the trainer's arithmetic does not lose one."""
    return whole_epoch(epoch) or math.floor(epoch)
