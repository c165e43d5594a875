"""When something that was refused is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import MidwatchError, TrackerMissing

FIRST_S, LONGEST_S = 60.0, 3600.0
"""Seconds until the second attempt, and between attempts at most; each wait is twice as long as the one before."""


@dataclass
class Patience:
    """Of one receiver."""

    refusal: MidwatchError | None = None
    """Why the last attempt failed; None where it didn't."""
    _wait_s: float = FIRST_S
    _again_at: float = 0.0

    def over(self, now: float) -> bool:
        """Whether it is too early to try again. What is not installed is not tried again at all."""
        return isinstance(self.refusal, TrackerMissing) or now < self._again_at

    def refused(self, error: MidwatchError, now: float) -> None:
        """The attempt at `now` (Unix time, seconds) failed."""
        self.refusal = error
        self._again_at, self._wait_s = now + self._wait_s, min(2 * self._wait_s, LONGEST_S)

    def reset(self) -> None:
        """It went well."""
        self.refusal, self._wait_s, self._again_at = None, FIRST_S, 0.0
