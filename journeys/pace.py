"""How long the demo's training and analysis will still take, from how fast they went while somebody looked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from journeys.progress import SETTLED, Progress
from shared.findings.text import duration


class Left(NamedTuple):
    """Seconds until each is through; None where nothing tells yet."""

    training: float | None = None
    analysis: float | None = None


NOTHING_KNOWN = Left()


class Pace:
    """Keeps what each look at the run's files told; `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin: tuple[float, int] | None = None
        self._last = clock()
        self._busy = 0.0
        self._settled_before: int | None = None

    def look(self, progress: Progress, trained: bool) -> Left:
        """What is left now. Only the time in which a checkpoint is analysed counts for the analysis."""
        now = self._clock()
        if progress.status is not None and progress.status.running is not None:
            self._busy += now - self._last
        self._last = now
        training = 0.0 if trained else self._training(progress, now)
        return Left(training, self._analysis(progress, training))

    def _training(self, progress: Progress, now: float) -> float | None:
        steps = progress.record.steps if progress.record else None
        if not steps or not progress.step:
            return None
        if self._begin is None:
            self._begin = (now, progress.step)
        began, first = self._begin
        if progress.step == first:
            return None
        return (now - began) / (progress.step - first) * max(0, steps - progress.step)

    def _analysis(self, progress: Progress, training: float | None) -> float | None:
        settled = sum(row.status is not None and row.status.state in SETTLED for row in progress.rows)
        if self._settled_before is None:
            self._settled_before = settled
        done = settled - self._settled_before
        epochs = progress.record.epochs if progress.record else None
        expected = len(progress.rows) if training == 0 else max(len(progress.rows), round(epochs or 0))
        if settled >= expected and training == 0:
            return 0.0
        if done <= 0 or training is None:
            return None
        each = self._busy / done
        return max(each * (expected - settled), training + each if training else 0.0)


def in_words(seconds: float | None) -> str:
    """ ", about 3 min left"; nothing where that is not known, or nothing is left."""
    return f", about {duration(seconds)} left" if seconds else ""
