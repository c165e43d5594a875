"""Which runs there are: opens those that appear, drops those that are gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.said import Said
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import LinkInTheWay, RunError, UsageError
from shared.logs import entry
from shared.run import Run, find_runs

logger = logging.getLogger(__name__)


@dataclass
class RunFinder:
    """Keeps `runs` as the disk says."""

    targets: list[Path]
    """Runs, or folders of runs in which new ones appear."""
    plan: Plan
    out: Path | None
    runs: dict[Path, WatchedRun]
    """Those that are open, by their directory; the supervisor's own."""
    said: Said
    unusable: dict[Path, str] = field(default_factory=dict)
    """Runs of a folder that cannot be used, and why."""

    def drop_gone(self) -> list[WatchedRun]:
        """Forget runs whose directory is gone, so that nothing of ours brings it back; returns them."""
        gone = [path for path, watched in self.runs.items() if not watched.run.path.is_dir()]
        for path in gone:
            extra = entry("run_gone", run=self.runs[path].run.name, path=str(path))
            logger.warning("%s is gone", path, extra=extra)
        return [self.runs.pop(path) for path in gone]

    def open_new(self) -> None:
        """Open runs that have appeared. Raises RunError for one that was named and cannot be used."""
        for target in self.targets:
            for path in find_runs(target, self.plan.pattern):
                if path not in self.runs:
                    self._open(path, target)

    def _open(self, path: Path, target: Path) -> None:
        """Open one run; one of a folder that cannot be used does not stop the others."""
        alone = path == target
        out = self.out if alone or self.out is None else self.out / path.relative_to(target)
        try:
            if out is not None and not alone and out.is_symlink():
                raise LinkInTheWay(out)
            watched = WatchedRun(Run.at(path, out, self.plan.pattern), self.plan)
            refuse_to_write_in(watched.run)
            watched.open()
        except (RunError, UsageError) as error:
            if alone:
                raise
            self.unusable[path] = str(error)
            extra = entry("run_unusable", run=path.name, cause=str(error), path=str(path))
            self.said.once(logging.WARNING, str(error), extra)
            return
        self.unusable.pop(path, None)
        self.runs[path] = watched
        verb = "reading" if self.plan.once else "watching"
        logger.info("%s %s", verb, path, extra=entry("watching", run=watched.run.name, path=str(path)))
