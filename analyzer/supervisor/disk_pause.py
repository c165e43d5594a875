"""When our own disk is full or read-only: pause, use no attempt, and go on when it can be written again."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.logs import entry
from shared.own_folders import make_directory

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
TRIAL_BYTES = 2**20
"""What must fit before work goes on: about what one checkpoint's results take."""


@dataclass
class Pause:
    """Whether work waits for the disk. The wait doubles as long as nothing can be committed."""

    cause: str = ""
    """Why, and what to do (`disk_sentence`); empty while there is no pause."""
    place: Path | None = None
    _until: float = 0.0
    _wait_s: float = FIRST_PAUSE_S

    def hit(self, cause: str, place: Path, now: float) -> None:
        """The disk refused."""
        if not self.cause:
            logger.warning(
                "paused: %s. Then work goes on by itself.",
                cause,
                extra=entry("paused", cause=cause, path=str(place)),
            )
            self._until = now + self._wait_s
            self._wait_s = min(2 * self._wait_s, LONGEST_PAUSE_S)
        self.cause, self.place = cause, place

    def over(self, now: float) -> bool:
        """Whether work may start: no pause, or it is time for a trial write and that succeeds."""
        if not self.cause:
            return True
        if now < self._until or self.place is None or not can_write(self.place):
            return False
        logger.info("%s can be written again", self.place, extra=entry("resumed", path=str(self.place)))
        self.cause = ""
        return True

    def clock_was_set(self, by: float) -> None:
        """The wait ends when it would have."""
        self._until += by

    def clear(self) -> None:
        """A result was written: the next pause is short again."""
        self._wait_s = FIRST_PAUSE_S


def unwritable(folders: Iterable[Path]) -> set[Path]:
    """Which of these cannot be written now. A disk that takes one trial is not tried again for the others."""
    sound: set[int] = set()
    refused: set[Path] = set()
    for folder in folders:
        try:
            disk = folder.stat().st_dev
        except OSError:
            disk = -1
        if disk in sound:
            continue
        if not can_write(folder):
            refused.add(folder)
        elif disk >= 0:
            sound.add(disk)
    return refused


def can_write(folder: Path, size: int = TRIAL_BYTES) -> bool:
    """Whether `size` bytes can be written into `folder` now."""
    trial = folder / f".trial.{os.getpid()}"
    try:
        make_directory(folder)
        trial.unlink(missing_ok=True)
    except OSError:
        return False
    try:
        with trial.open("xb") as file:  # a link that stands there is not written through
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    finally:
        try:
            trial.unlink(missing_ok=True)
        except OSError:
            logger.debug("%s stays behind", trial, extra=entry("trial_stays", path=str(trial)))
    return True
