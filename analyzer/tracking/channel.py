"""One tracker of one run: sends what is new, notes it, and tries again later what was refused."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from analyzer.supervisor.lease import Lease
from analyzer.supervisor.said import Said
from analyzer.tracking.known import open_tracker, require_package
from analyzer.tracking.ledger import Files, Sent, read_ledger
from analyzer.tracking.numbers import Reader
from analyzer.tracking.outgoing import Outgoing
from analyzer.tracking.patience import Patience
from analyzer.tracking.tracker import Tracker
from shared.errors import MidwatchError
from shared.files import write_record
from shared.findings.text import counted
from shared.logs import entry
from shared.run import Run

logger = logging.getLogger(__name__)

AT_ONCE = 50
"""Checkpoints that are sent before it is noted that they were."""


@dataclass
class Channel(Outgoing):
    """Keeps one tracker up to date with the results of one run."""

    run: Run
    name: str
    project: str
    reader: Reader
    said: Said
    sent_now: int = 0
    """Checkpoints whose numbers this process has sent."""
    tracker: Tracker | None = None
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        self.folder = self.run.tracked / self.name
        self.lease = Lease(self.folder / "lease.json", hurried=True)

    @property
    def where(self) -> str:
        """What people do to see the numbers; empty before the first are sent."""
        return self.tracker.where if self.tracker is not None else ""

    def close(self) -> None:
        """Let go of the tracker."""
        try:
            if self.tracker is not None:
                self.tracker.close()
            self.lease.release()
        except (MidwatchError, OSError) as error:
            self._say(error)

    @property
    def _what(self) -> str:
        return f"sends {self.run.name} to {self.name}"

    def _require(self) -> None:
        require_package(self.name, self.name)

    def _send(self, files: Files) -> None:
        path = self.folder / "sent.json"
        sent = read_ledger(path, Sent)
        missing = sent.missing(self.reader.readable(sent.missing(files)))
        if not missing:
            return
        self.tracker = self.tracker or open_tracker(self.name, self.run, self.project, sent.place)
        again = sent.again(missing)
        wanted = self.reader.readable(files) if self.tracker.whole else missing
        steps = {name: self.reader.numbers(name, each) for name, each in wanted.items()}
        names = sorted(wanted, key=lambda name: steps[name].step)
        at_once = len(names) if self.tracker.whole else AT_ONCE
        for start in range(0, len(names), at_once):
            part = names[start : start + at_once]
            try:
                self.tracker.send([steps[name] for name in part])
                sent = sent.with_({name: wanted[name] for name in part})
            finally:  # what was begun is found again, whatever became of it
                sent = sent.model_copy(update={"place": self.tracker.place})
                write_record(path, sent)
        self.sent_now += len(missing)
        self._say_sent(list(missing), again)

    def _say_sent(self, names: list[str], again: list[str]) -> None:
        assert self.tracker is not None  # noqa: S101 (the caller's condition)
        run, many = self.run.name, counted(len(names), "checkpoint")
        extra = entry("tracked", run=run)
        logger.info("%s: numbers of %s to %s: %s", run, many, self.name, self.tracker.where, extra=extra)
        verb = "replaced" if self.tracker.whole else "sent once more, at the same step"
        for name in again:
            extra = entry("tracked_again", run=run, checkpoint=name)
            logger.info("%s/%s has newer results: its numbers are %s", run, name, verb, extra=extra)

    def _say(self, error: Exception) -> None:
        run = self.run.name
        extra = entry("not_tracked", run=run, cause=str(error))
        self.said.once(logging.WARNING, f"{run}: no numbers to {self.name}: {error}", extra)
