"""What follows when our own disk refuses a write: the runs that lie there are given time, the others go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analyzer.supervisor.disk_pause import unwritable
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import disk_sentence


@dataclass
class DiskRefusals:
    """Pauses runs whose place cannot be written."""

    runs: dict[Path, WatchedRun]
    """All that are watched, by their directory; the supervisor's own."""

    def hit(self, error: OSError, watched: WatchedRun, now: float) -> None:
        """Our own disk refused."""
        self.give_time(disk_sentence(error, watched.run.midwatch), watched, now)

    def give_time(self, cause: str, refused: WatchedRun, now: float) -> None:
        """Pause the run whose place refused, and those that can't be written either: a full disk is theirs, too.

        Whoever waits already has been looked at, and so have the others when it began to.
        """
        paused = [refused]
        if not refused.pause.cause:
            others = [each for each in self.runs.values() if each is not refused and each.other is None]
            awake = {each.run.midwatch: each for each in others if not each.pause.cause}
            paused += [awake[folder] for folder in unwritable(awake)]
        for watched in paused:
            watched.pause.hit(cause, watched.run.midwatch, now)
