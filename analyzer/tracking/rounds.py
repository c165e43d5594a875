"""All runs: found, looked at in turn, once or until stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from analyzer.supervisor.said import Said
from analyzer.tracking.options import TrackOptions
from analyzer.tracking.tracked_run import TrackedRun
from shared.errors import RunError
from shared.logs import entry
from shared.run import Run, find_runs

logger = logging.getLogger(__name__)


class Rounds:
    """Keeps `runs` as the disk says, and each up to date."""

    def __init__(self, options: TrackOptions, clock: Callable[[], float] = time.time) -> None:
        self.options, self.clock = options, clock
        self.runs: dict[Path, TrackedRun] = {}
        self._said = Said()

    def once(self) -> None:
        """One look at every run."""
        for path in [path for path, tracked in self.runs.items() if not tracked.run.path.is_dir()]:
            self.runs.pop(path).close()
        for target in self.options.targets:
            for path in find_runs(target):
                if path not in self.runs:
                    self._open(path, target)
        for tracked in self.runs.values():
            tracked.update(self.clock())

    def follow(self, stopped: threading.Event) -> None:
        """Look again and again; once more when stopped, so that nothing that was committed by then is left."""
        self.once()
        while not stopped.wait(self.options.rescan_s):
            self.once()
        self.once()

    def close(self) -> None:
        """Finish what is under way."""
        for tracked in self.runs.values():
            tracked.close()

    def _open(self, path: Path, target: Path) -> None:
        """Open one run; one that cannot be opened does not stop the others."""
        out = self.options.out
        if out is not None and path != target:
            out = out / path.relative_to(target)
        try:
            run = Run.at(path, out)
            run.refuse_links()
        except RunError as error:
            extra = entry("run_unusable", run=path.name, cause=str(error), path=str(path))
            self._said.once(logging.WARNING, str(error), extra)
            return
        self.runs[path] = TrackedRun(run, self.options)
