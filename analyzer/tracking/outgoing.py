"""What a channel and a notifier share: one process a run at a time, and what was refused is tried again later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from analyzer.supervisor.lease import Lease
from analyzer.tracking.ledger import Files
from analyzer.tracking.patience import Patience
from shared.errors import MidwatchError, TrackerRefused, disk_sentence


class Outgoing(ABC):
    """Sends something of one run somewhere else."""

    patience: Patience
    folder: Path
    """Where it notes what was sent."""
    lease: Lease
    """Held while it sends."""

    @property
    def refusal(self) -> MidwatchError | None:
        """Why the last attempt failed."""
        return self.patience.refusal

    def update(self, files: Files, now: float) -> None:
        """Send what was not sent yet, unless it is too early to try again."""
        if self.patience.over(now):
            return
        try:
            self._require()
            if files:
                self._claim(now)
                self._send(files)
            self.patience.reset()
        except OSError as error:
            self._refused(TrackerRefused(f"{disk_sentence(error, self.folder)}."), now)
        except MidwatchError as error:
            self._refused(error, now)

    @property
    @abstractmethod
    def _what(self) -> str:
        """What another process does already: "sends judge to wandb"."""

    @abstractmethod
    def _require(self) -> None:
        """Raises UsageError where a package or an address is missing."""

    @abstractmethod
    def _send(self, files: Files) -> None:
        """Send what is missing of these, and note it. Raises MidwatchError, OSError."""

    @abstractmethod
    def _say(self, error: Exception) -> None:
        """Tell the user, once."""

    def _claim(self, now: float) -> None:
        """Raises TrackerRefused where somebody else sends this, OSError where our folder cannot be written."""
        other = self.lease.hold(now)
        if other is not None:
            raise TrackerRefused(f"process {other.pid} on {other.host} {self._what} already.")

    def _refused(self, error: MidwatchError, now: float) -> None:
        self.patience.refused(error, now)
        self._say(error)
