"""A run: one training's output directory, and where everything in it lies."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from shared.errors import RunError, SchemaError, UsageError
from shared.files import read_json, write_json_atomic
from shared.own_folders import MIDWATCH, VISUALIZATIONS, refuse_links
from shared.user_paths import expanded

RECORD, PROBES, TRAIN_DIGESTS = "run.json", "probes.jsonl", "train_digests.txt"
"""Names of what describes a run; either the trainer or `midwatch init` writes them."""
CHECKPOINT_NAME = re.compile(r"^checkpoint-([0-9]+)\Z")


def step_of(checkpoint: str) -> int | None:
    """The step in `checkpoint-<step>`, or None when the name is not a checkpoint's."""
    match = CHECKPOINT_NAME.match(checkpoint)
    return int(match.group(1)) if match else None


@dataclass(frozen=True)
class Run:
    """Paths of one run. `path` is the trainer's; Midwatch writes under `out`, the same by default."""

    path: Path
    out: Path

    @classmethod
    def at(cls, path: Path | str, out: Path | str | None = None) -> Run:
        """The run at `path`; raises RunError when there is no such directory.

        A directory made with `--out` remembers the run it is about, so it can be opened like a run.
        """
        path = expanded(path).resolve()
        if not path.is_dir():
            raise RunError(f"{path} is not a directory; give the output directory of a training run.")
        source = path / MIDWATCH / "source.json"
        if out is None and source.is_file():
            try:
                return cls(Path(read_json(source)["run"]), path)
            except (SchemaError, KeyError, TypeError) as error:
                raise RunError(f"{source} does not name the run it is about; delete the file.") from error
        return cls(path, expanded(out).resolve() if out is not None else path)

    def remember_source(self) -> None:
        """Note in `out` which run it is about, where the two differ. Raises UsageError when it is about another."""
        if self.out == self.path:
            return
        source = self.midwatch / "source.json"
        if source.is_file() and Run.at(self.out).path != self.path:
            raise UsageError(
                f"{self.out} holds the results of {Run.at(self.out).path}; pass another --out directory."
            )
        write_json_atomic(source, {"run": str(self.path)})

    def refuse_links(self) -> None:
        """Raise LinkInTheWay when a symbolic link stands in place of a folder that we write in."""
        ours = (
            self.visualizations,
            self.results,
            self.pins,
            self.attempts,
            self.digests,
            self.drawn,
            self.requests,
            self.null,
            self.assumed_probes.parent,
        )
        for folder in ours:
            refuse_links(folder)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def record(self) -> Path:
        """run.json: the trainer's, or `midwatch init`'s beside our own files for a foreign run."""
        return self._written_by_either(RECORD)

    @property
    def probes(self) -> Path:
        return self._written_by_either(PROBES)

    @property
    def train_digests(self) -> Path:
        """Digests of the training prompts, one a line; `shared.prompts.leaks` writes and reads it."""
        return self._written_by_either(TRAIN_DIGESTS)

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def visualizations(self) -> Path:
        return self.out / VISUALIZATIONS

    @property
    def midwatch(self) -> Path:
        return self.out / MIDWATCH

    @property
    def commits(self) -> Path:
        """Commit files: the trainer's, so under `path` also when `out` is elsewhere."""
        return self.path / MIDWATCH / "commits"

    @property
    def results(self) -> Path:
        return self.midwatch / "results"

    @property
    def pins(self) -> Path:
        return self.midwatch / "pins"

    @property
    def attempts(self) -> Path:
        return self.midwatch / "attempts"

    @property
    def digests(self) -> Path:
        """Cache of content digests by fingerprint; may be deleted."""
        return self.midwatch / "digests"

    @property
    def drawn(self) -> Path:
        """Which results the figures show."""
        return self.midwatch / "drawn"

    @property
    def requests(self) -> Path:
        return self.midwatch / "requests"

    @property
    def null(self) -> Path:
        """Untrained copies of the judge, each a run of its own (`analyze --null`)."""
        return self.midwatch / "null"

    @property
    def status(self) -> Path:
        return self.midwatch / "status.json"

    @property
    def gone(self) -> Path:
        """What was deleted before it was analysed."""
        return self.midwatch / "gone.json"

    @property
    def assumed_probes(self) -> Path:
        """The probe set of a run that has none; written by the analyzer, which never writes into the trainer's."""
        return self.midwatch / "assumed" / PROBES

    @property
    def lease(self) -> Path:
        return self.midwatch / "lease.json"

    def checkpoints(self) -> list[str]:
        """Names of the checkpoint directories, by step. Raises RunError when the run cannot be listed."""
        try:
            with os.scandir(self.path) as entries:
                names = [e.name for e in entries if CHECKPOINT_NAME.match(e.name) and e.is_dir()]
        except OSError as error:
            raise RunError(f"{self.path} cannot be listed ({error.strerror}).") from error
        return sorted(names, key=lambda name: (step_of(name), name))

    def _written_by_either(self, name: str) -> Path:
        """The trainer's file, else ours under `out` (`midwatch init --out` on a read-only run)."""
        ours = self.out / name
        return ours if ours.exists() else self.path / name


def command(verb: str, run: Run, *options: str) -> str:
    """A `midwatch` command line about `run`, safe to paste into a shell."""
    words = ["midwatch", verb, str(run.path), *options]
    if run.out != run.path:
        words += ["--out", str(run.out)]
    return shlex.join(words)


def looks_like_run(path: Path) -> bool:
    """Whether a directory is itself a run (rather than a folder of runs)."""
    if (path / RECORD).is_file() or (path / MIDWATCH).is_dir():
        return True
    try:
        return any(CHECKPOINT_NAME.match(entry.name) for entry in path.iterdir())
    except OSError:
        return False


def find_runs(root: Path) -> list[Path]:
    """`root` itself when it is a run, else the runs directly inside it, newest change first."""
    if looks_like_run(root):
        return [root]
    try:
        children = [child for child in root.iterdir() if child.is_dir() and looks_like_run(child)]
        return sorted(children, key=lambda child: (-child.stat().st_mtime, child.name))
    except OSError:  # gone or unreadable just now: the next rescan sees
        return []
