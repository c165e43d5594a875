"""Which runs there are: opens those that appear, drops those that are gone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.said import Said
from analyzer.supervisor.watched_run import WatchedRun
from shared.errors import LinkInTheWay, MidwatchError, RunError, UsageError
from shared.logs import entry
from shared.own_folders import MIDWATCH
from shared.run import SOURCE, Run, find_runs

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
        gone = [path for path, watched in self.runs.items() if is_gone(watched.run.path)]
        for path in gone:
            extra = entry("run_gone", run=self.runs[path].run.name, path=str(path))
            logger.warning("%s is gone", path, extra=extra)
        return [self.runs.pop(path) for path in gone]

    def open_new(self) -> None:
        """Open runs that have appeared. Raises RunError for one that was named and cannot be used."""
        for target in self.targets:
            unseen: dict[Path, str] = {}
            for path in find_runs(target, self.plan.pattern, unseen):
                if path not in self.runs:
                    self._open(path, target)
            for path, sentence in unseen.items():
                self.said.once(logging.WARNING, sentence, entry("folder_unseen", path=str(path), cause=sentence))

    def _open(self, path: Path, target: Path) -> None:
        """Open one run; one of a folder that cannot be used does not stop the others."""
        alone = path == target
        out = self.out if alone or self.out is None else self.out / path.relative_to(target)
        try:
            if not alone and (path / MIDWATCH / SOURCE).exists():  # what lies in a folder names no other place
                sentence = f"{path} says that it is about another run: left out; name it by itself instead."
                self.said.once(logging.INFO, sentence, entry("elsewhere", path=str(path), cause=sentence))
                return
            if out is not None and not alone and out.is_symlink():
                raise LinkInTheWay(out)
            watched = WatchedRun(Run.at(path, out, self.plan.pattern), self.plan)
            refuse_to_write_in(watched.run)
            watched.open()
        except (RunError, UsageError, OSError) as caught:
            error = caught if isinstance(caught, MidwatchError) else _refused(path, caught)
            if alone:
                raise error from caught
            self.unusable[path] = str(error)
            extra = entry("run_unusable", run=path.name, cause=str(error), path=str(path))
            self.said.once(logging.WARNING, str(error), extra)
            return
        self.unusable.pop(path, None)
        self.runs[path] = watched
        verb = "reading" if self.plan.once else "watching"
        logger.info("%s %s", verb, path, extra=entry("watching", run=watched.run.name, path=str(path)))


def is_gone(path: Path) -> bool:
    """Whether a directory is not there any more; one that we may not see just now is."""
    try:
        return not path.is_dir()
    except OSError:
        return False


def _refused(path: Path, error: OSError) -> RunError:
    return RunError(f"{path} cannot be used ({error.filename or path}: {error.strerror}); make it accessible.")
