"""What is kept of an answer for the picture over checkpoints: few numbers, so that hundreds fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from shared.findings.text import counted

if TYPE_CHECKING:
    from shared.findings.asked import AskedResult
    from shared.records import Label

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NAMED = 5
"""Checkpoints that a sentence names."""


@dataclass(frozen=True)
class Moment:
    """One prompt at one checkpoint, among the probes there; all scores in nats."""

    label: str
    """Of the checkpoint: "epoch 3"."""
    step: int
    score: float
    twin: float | None
    safe: tuple[float, ...]
    """The quantiles of the safe probes' scores; empty without any."""
    unsafe: tuple[float, ...]
    n_safe: int
    n_unsafe: int

    @property
    def verdict(self) -> Label:
        return "unsafe" if self.score > 0 else "safe"


def moment_of(label: str, step: int, found: AskedResult) -> Moment:
    """What is kept of one answer."""
    sides = (found.among.safe, found.among.unsafe) if found.among is not None else ([], [])
    safe, unsafe = (tuple(np.quantile(side, QUANTILES).tolist()) if side else () for side in sides)
    twin = None if found.twin is None else found.twin.score
    return Moment(label, step, found.prompt.score, twin, safe, unsafe, len(sides[0]), len(sides[1]))


def over_run(moments: Sequence[Moment]) -> str:
    """The verdict over the checkpoints that answered, and where it turns; `moments` by step."""
    if not moments:
        return "No checkpoint has answered yet"
    if len(moments) == 1:
        return f"Judged {moments[0].verdict} at {moments[0].label}, the one checkpoint that was asked"
    unsafe = sum(moment.verdict == "unsafe" for moment in moments)
    if unsafe in (0, len(moments)):
        return f"Judged {moments[0].verdict} at all {len(moments)} checkpoints that answered"
    turns = [
        f"{after.verdict} from {after.label}"
        for before, after in pairwise(moments)
        if before.verdict != after.verdict
    ]
    named = ", ".join(turns[:NAMED]) + (f" and {len(turns) - NAMED} more turns" if len(turns) > NAMED else "")
    many = counted(len(moments), "checkpoint")
    return f"Judged unsafe at {unsafe} of {many}: {moments[0].verdict} at {moments[0].label}, {named}"
