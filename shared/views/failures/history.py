"""Verdicts on the same prompts over the checkpoints of a run: since when one is wrong, and how often it turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shared.views.overview.facts import CheckpointFacts


class Course(NamedTuple):
    """One prompt up to the shown checkpoint; rows are those of `History`."""

    first: int | None
    """The first checkpoint at which it was judged wrongly; None where at none."""
    since: int | None
    """Where the present stretch of wrong verdicts began; None where it is judged rightly, or has no score, now."""
    flips: int
    """Times that its verdict turned from one judged checkpoint to the next."""
    judged: int
    """Checkpoints at which it has a score."""
    wrong: int
    """Of these, how many judged it wrongly."""


@dataclass(frozen=True, eq=False)
class History:
    """The checkpoints that were judged on the shown one's prompts, in the run's order."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    x: np.ndarray
    """(checkpoints,) epochs where all are known, else optimizer steps."""
    x_title: str
    scores: np.ndarray
    """(checkpoints, n) nats; NaN where a prompt was left out. Above 0 is judged unsafe."""
    unsafe: np.ndarray
    """(n,) boolean, by true label."""
    place: int
    """Row of the shown checkpoint."""
    elsewhere: tuple[str, ...] = ()
    """Labels of checkpoints that were judged on other prompts, and so are left out."""

    @property
    def now(self) -> np.ndarray:
        """(n,) scores at the shown checkpoint, nats."""
        return self.scores[self.place]

    @property
    def known(self) -> np.ndarray:
        """(checkpoints, n) whether there is a score."""
        return np.isfinite(self.scores)

    @property
    def wrong(self) -> np.ndarray:
        """(checkpoints, n) whether a prompt is judged wrongly; False without a score."""
        return self.known & ((self.scores > 0) != self.unsafe)

    def course(self, prompt: int) -> Course:
        """What became of one prompt up to the shown checkpoint."""
        upto = slice(0, self.place + 1)
        rows = np.flatnonzero(self.known[upto, prompt])
        wrong = self.wrong[rows, prompt]
        at = rows[wrong]
        since = None
        if len(rows) and rows[-1] == self.place and wrong[-1]:
            right = np.flatnonzero(~wrong)
            since = int(rows[right[-1] + 1 if len(right) else 0])
        flips = int((wrong[1:] != wrong[:-1]).sum())
        return Course(int(at[0]) if len(at) else None, since, flips, len(rows), len(at))


def history_of(facts: Sequence[CheckpointFacts], name: str) -> History | None:
    """The history up to and beyond the checkpoint `name`; `facts` are in the run's order.

    None where its verdicts, prompt by prompt, are not known.
    """
    shown = next((each for each in facts if each.name == name), None)
    if shown is None or shown.verdicts is None or not shown.judged:
        return None
    unsafe = shown.verdicts.unsafe
    same, elsewhere = [], []
    for each in facts:
        if each.verdicts is None:
            continue
        alike = each.probe_digest == shown.probe_digest and np.array_equal(each.verdicts.unsafe, unsafe)
        (same if alike else elsewhere).append(each)
    by_epoch = all(each.epoch is not None for each in same)
    return History(
        names=tuple(each.name for each in same),
        labels=tuple(each.label for each in same),
        x=np.array([each.epoch if by_epoch else each.step for each in same], dtype=float),
        x_title="epoch" if by_epoch else "optimizer step",
        scores=np.stack([each.verdicts.scores for each in same if each.verdicts is not None]),
        unsafe=unsafe,
        place=next(row for row, each in enumerate(same) if each.name == name),
        elsewhere=tuple(each.label for each in elsewhere),
    )
