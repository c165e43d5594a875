"""One run, kept up to date with every tracker and webhook that was asked for."""

from __future__ import annotations

import logging

from analyzer.supervisor.said import Said
from analyzer.tracking.channel import Channel
from analyzer.tracking.notifier import Notifier
from analyzer.tracking.numbers import Reader
from analyzer.tracking.options import TrackOptions
from shared.errors import MidwatchError, SchemaError
from shared.logs import entry
from shared.results_index import ResultsIndex
from shared.run import Run


class TrackedRun:
    """A look at its results costs milliseconds; each is read once."""

    def __init__(self, run: Run, options: TrackOptions) -> None:
        self.run = run
        self.results = 0
        """Checkpoints with results, as of the last look."""
        self._index = ResultsIndex(run.results)
        self._reader = Reader()
        self._said = Said()
        self.receivers: list[Channel | Notifier] = [
            Channel(run, name, options.project, self._reader, self._said) for name in options.to
        ]
        if options.notify:
            self.receivers.append(Notifier(run, options.notify, options.notify_notes, self._said))

    def update(self, now: float) -> None:
        """Look at the results, and send what is new. What is refused is said, and does not stop the others."""
        self._index.refresh()
        files = self._index.files()
        self.results = len(files)
        for receiver in self.receivers:
            receiver.update(files, now)
        for path, cause in self._reader.faults.items():
            extra = entry("not_tracked", run=self.run.name, cause=cause, path=path)
            self._said.once(logging.WARNING, f"{self.run.name}: {cause}", extra)

    @property
    def troubles(self) -> list[MidwatchError]:
        """What was refused at the last attempt, and what cannot be read."""
        refused = [receiver.refusal for receiver in self.receivers if receiver.refusal is not None]
        return [*refused, *map(SchemaError, self._reader.faults.values())]

    def close(self) -> None:
        """Finish what is under way."""
        for receiver in self.receivers:
            receiver.close()
