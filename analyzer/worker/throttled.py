"""Progress as the pipe gets it: a few times a second, and the last one."""

from __future__ import annotations

import time
from collections.abc import Callable

PROGRESS_EVERY_S = 0.25

Progress = Callable[[str, int, int], None]
"""(analysis, done, total)"""


class Throttled:
    """Progress inside an analysis, passed on a few times a second."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name, self._last = progress, name, float("-inf")

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_EVERY_S or done == total:
            self._last = now
            self._progress(self._name, done, total)
