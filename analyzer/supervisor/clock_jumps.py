"""Notices that somebody set the clock, or that the machine slept: a clock that only goes on stands meanwhile.

Waits are meant in seconds in which training and worker could go on; wall time is for people and files.

What is remembered as wall time is then moved by as much, so that no wait becomes an hour longer or ends at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE_S = 2.0
"""A smaller difference between two looks is left alone: clocks are corrected all the time."""


@dataclass
class ClockJumps:
    """Compares the wall clock with `ticks`, seconds of a clock that only goes on."""

    ticks: Callable[[], float]
    _last: tuple[float, float] | None = None

    def since_last_look(self, now: float) -> float:
        """Seconds by which the clock was set since the last look (negative: back) or that were slept, else 0.

        `now` is Unix time.
        """
        tick, last = self.ticks(), self._last
        self._last = (now, tick)
        by = 0.0 if last is None else (now - last[0]) - (tick - last[1])
        return by if abs(by) > TOLERANCE_S else 0.0
