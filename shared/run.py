"""A run: one training's output directory, and where everything in it lies."""

from __future__ import annotations

import os
import shlex
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from shared.checkpoint_listing import checkpoints_in, listing_of
from shared.checkpoint_names import ROOT, STEP_NAMED, NamePattern
from shared.checkpoint_places import Noted, in_order, read_places
from shared.errors import NoSuchRun, RunError, SchemaError, UsageError
from shared.files import read_json, write_json_atomic
from shared.own_folders import MIDWATCH, VISUALIZATIONS, refuse_links
from shared.user_paths import expanded

RECORD, PROBES, TRAIN_DIGESTS = "run.json", "probes.jsonl", "train_digests.txt"
"""Names of what describes a run; either the trainer or `midwatch init` writes them."""
TEST, BASELINES = "test.jsonl", "baselines.json"
"""Names of what only the trainer writes."""
SOURCE = "source.json"
"""Name of the note in a directory made with `--out`: which run it is about."""
REQUESTS = "requests"
"""Name of the folder in which CLI and dashboard file what they ask."""
MOST_FOLDERS = 2000
"""Directories looked at in search of runs, the shallow ones first: a folder may hold far more than runs."""


@dataclass(frozen=True)
class Run:
    """Paths of one run. `path` is the trainer's; Midwatch writes under `out`, the same by default."""

    path: Path
    out: Path
    pattern: NamePattern | None = None
    """The user's rule for checkpoints' names; None for ours."""

    @classmethod
    def at(cls, path: Path | str, out: Path | str | None = None, pattern: NamePattern | None = None) -> Run:
        """The run at `path`; raises NoSuchRun when there is no such directory, RunError for a damaged note in it.

        A directory made with `--out` remembers the run it is about, so it can be opened like a run.
        """
        path = expanded(path).resolve()
        if not is_text(path):
            raise RunError(f"{str(path)!a} is not named in UTF-8, so that nothing can tell of it; rename it.")
        source = path / MIDWATCH / SOURCE
        try:
            if not path.is_dir():
                raise NoSuchRun(f"{path} is not a directory; give the output directory of a training run.")
            if out is None and source.is_file():
                return cls(_named_in(source), path, pattern)
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}); make it readable.") from error
        except SchemaError as error:
            raise RunError(f"{source} does not name the run it is about; delete the file.") from error
        return cls(path, expanded(out).resolve() if out is not None else path, pattern)

    def remember_source(self) -> None:
        """Note in `out` which run it is about, where the two differ. Raises UsageError when it is about another."""
        if self.out == self.path:
            return
        source = self.source
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
            self.requested,
            self.asked,
            self.null,
            self.tracked,
            self.evaluations,
            self.attacks,
            self.overview,
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
    def test(self) -> Path:
        """The held-out test prompts; `shared.prompts.prompt_files` writes and reads them."""
        return self.path / TEST

    @property
    def baselines(self) -> Path:
        """The baselines as fitted on the training prompts; `shared.prompts.baselines` writes and reads them."""
        return self.path / BASELINES

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
    def source(self) -> Path:
        """Which run a directory that --out made is about."""
        return self.midwatch / "source.json"

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
        """What CLI and dashboard ask of the analyzer; `shared.requests.folder` files and reads it."""
        return self.midwatch / REQUESTS

    @property
    def requested(self) -> Path:
        """What became of requests; `shared.requests.folder` reads it, only the analyzer writes it."""
        return self.midwatch / "requested"

    @property
    def asked(self) -> Path:
        """Answers to prompts that were asked, kept apart from what the probe set gave."""
        return self.midwatch / "asked"

    @property
    def candidate_probes(self) -> Path:
        """Asked prompts that somebody marked as worth a probe; `shared.prompts.candidates` writes and reads it."""
        return self.midwatch / "candidate_probes.jsonl"

    @property
    def null(self) -> Path:
        """Untrained copies of the judge, each a run of its own (`analyze --null`)."""
        return self.midwatch / "null"

    @property
    def tracked(self) -> Path:
        """What trackers and webhooks got, a folder each (`midwatch track`)."""
        return self.midwatch / "tracked"

    @property
    def evaluations(self) -> Path:
        """What `midwatch evaluate` measured, by checkpoint and data."""
        return self.midwatch / "evaluations"

    @property
    def attacks(self) -> Path:
        """What `midwatch attack` found, by checkpoint."""
        return self.midwatch / "attacks"

    @property
    def overview(self) -> Path:
        """What an overview knows of each checkpoint, by its results; anybody may delete it."""
        return self.midwatch / "overview"

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
        """Names of the checkpoints, by step. Raises RunError when the run cannot be listed.

        Where the trainer announces its checkpoints (commit files), only `checkpoint-<step>` counts: what it saves
        beside them (`best`) is a copy of one of them.
        """
        places = self.places()
        announced = self.pattern is None and self.commits.is_dir()
        try:
            listing = listing_of(self.path)
        except OSError as error:
            raise RunError(f"{self.path} cannot be listed ({error.strerror}).") from error
        found = checkpoints_in(self.path, listing, self.pattern, places, announced=announced)
        return in_order(found, places)

    def places(self) -> dict[str, Noted]:
        """What is noted of checkpoints whose names do not say their step."""
        return read_places(self.midwatch)

    def directory_of(self, checkpoint: str) -> Path:
        """Where a checkpoint lies: the run's own directory for the model in it."""
        return self.path if checkpoint == ROOT else self.path / checkpoint

    def _written_by_either(self, name: str) -> Path:
        """The trainer's file, else ours under `out` (`midwatch init --out` on a read-only run)."""
        ours = self.out / name
        return ours if ours.exists() else self.path / name


def _named_in(source: Path) -> Path:
    """The run that a directory made with `--out` is about. Raises OSError and SchemaError."""
    value = read_json(source)
    name = value.get("run") if isinstance(value, dict) else None
    if not isinstance(name, str) or "\0" in name or not is_text(Path(name)) or not Path(name).is_absolute():
        raise SchemaError(f"{source} names no run.")
    return Path(name)


def command(verb: str, run: Run, *options: str) -> str:
    """A `midwatch` command line about `run`, safe to paste into a shell."""
    words = ["midwatch", verb, str(run.path), *options]
    if run.out != run.path:
        words += ["--out", str(run.out)]
    return shlex.join(words)


def looks_like_run(path: Path, pattern: NamePattern | None = None, *, given: bool = True) -> bool:
    """Whether a directory is itself a run (rather than a folder of runs).

    One that was not `given` but found is none for files that are symbolic links: the Hub's cache is full of these.
    """
    try:
        if (path / RECORD).is_file() or (path / MIDWATCH).is_dir():
            return True
        listing = listing_of(path)
    except OSError:
        return False
    if pattern is None and any(STEP_NAMED.match(name) for name in (*listing.folders, *listing.files)):
        return True
    if not given:
        listing = listing.without_links()
    return any(True for _ in checkpoints_in(path, listing, pattern))


def find_runs(root: Path, pattern: NamePattern | None = None, unseen: dict[Path, str] | None = None) -> list[Path]:
    """`root` itself when it is a run, else the runs in it, newest change first.

    They are found at any depth, but for what lies behind the first `MOST_FOLDERS` directories, and none inside
    another; no symbolic link to a directory is followed. Directories that cannot be looked into hide nothing else:
    they go to `unseen`, each with a sentence.
    """
    if looks_like_run(root, pattern):
        return [root]
    found = _runs_below(root, pattern, {} if unseen is None else unseen)
    return sorted(found, key=lambda child: (-_changed_at(child), child.as_posix()))


def _changed_at(path: Path) -> float:
    """Unix time of a directory's last change; 0 for one that is gone just now."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def is_text(path: Path) -> bool:
    """Whether a path is UTF-8: any other can neither be printed nor written down."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _runs_below(root: Path, pattern: NamePattern | None, unseen: dict[Path, str]) -> list[Path]:
    found: list[Path] = []
    waiting = deque(_folders_in(root, unseen))
    for _ in range(MOST_FOLDERS):
        if not waiting:
            break
        child = waiting.popleft()
        if looks_like_run(child, pattern, given=False):
            found.append(child)
        else:
            waiting.extend(_folders_in(child, unseen))
    return found


def _folders_in(folder: Path, unseen: dict[Path, str]) -> list[Path]:
    """The directories in which a run may lie, by name."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith((".", MIDWATCH)) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:  # gone just now
        return []
    except OSError as error:
        unseen[folder] = f"{folder} cannot be looked into ({error.strerror}): runs in it are not seen."
        return []
    for name in names:
        if not is_text(Path(name)):
            unseen[folder / name] = f"{name!a} in {folder} is not named in UTF-8 and is left out; rename it."
    return sorted(folder / name for name in names if is_text(Path(name)))
