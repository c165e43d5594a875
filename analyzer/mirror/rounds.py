"""Rounds of a mirror: list, copy what is complete and new, list again before anything is shown.

    listing -> the run's small files -> newest checkpoint first: complete? -> staged -> listed again -> renamed

A round ends with what waits, and why. What changed meanwhile, or is not complete, is looked at in the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analyzer.checkpoints.file_names import INDEX
from analyzer.mirror.own_mirror import RUN_FILES, Copied, OwnMirror
from analyzer.mirror.remote_checkpoints import (
    QUIET_S,
    SETTLE_S,
    Found,
    RemoteCheckpoint,
    announced,
    checkpoints_of,
    read_commit,
    unannounced,
)
from analyzer.mirror.source import MAX_SMALL, Listing, Source, Stored, read_small, version_of
from analyzer.mirror.staging import Staging, drop_others, full_disk, recover
from shared.checkpoint_places import in_order
from shared.errors import LinkInTheWay, RunError, SchemaError, StoredChanged
from shared.files import read_record
from shared.logs import entry
from shared.records import CommitRecord
from shared.run import BASELINES, PROBES, RECORD, TEST, TRAIN_DIGESTS

logger = logging.getLogger(__name__)

OF_THE_RUN = (RECORD, PROBES, TRAIN_DIGESTS, TEST, BASELINES, "metrics.jsonl")
"""What describes a run, written by its trainer. Of many prompts or steps some are not small."""
TRIES = 4
"""Times that a checkpoint which changes while it is copied is waited for by a mirror that ends."""
REMEMBERED = 64
"""Small files of the bucket that are kept in memory."""


@dataclass
class Told:
    """What somebody who looks is told; the default says nothing."""

    begins: Callable[[str, int], None] = lambda name, size: None
    """A checkpoint, and its bytes."""
    bytes: Callable[[int], None] = lambda count: None
    ends: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Round:
    """What a round did."""

    copied: tuple[str, ...]
    """Checkpoints that are here now and were not, or not in this version."""
    waiting: Mapping[str, str]
    """Checkpoint -> why it is not copied."""
    until: float | None
    """Unix time at which the next of these may be, by mere quiet."""
    there: int
    """Checkpoints that the remote run has."""


@dataclass
class Mirroring:
    """One remote run and its copy."""

    source: Source
    mirror: OwnMirror
    last: int | None = None
    """Only the newest so many checkpoints are copied; None for all."""
    settle_s: float = SETTLE_S
    quiet_s: float = QUIET_S
    told: Told = field(default_factory=Told)
    stopped: Callable[[], bool] = lambda: False
    bytes: int = 0
    """Copied so far."""
    _since: dict[str, tuple[object, float]] = field(default_factory=dict)
    """Checkpoint -> its versions, and since when they are what they are, Unix time."""
    _small: dict[Stored, bytes] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _tries: dict[str, int] = field(default_factory=dict)
    """Checkpoint -> how often it changed while it was copied, or was cut short."""

    def __post_init__(self) -> None:
        recover(self.mirror)

    def round(self, now: Callable[[], float]) -> Round:
        """One look at everything. Raises StorageRefused, LocalDiskFull, OSError, and Interrupted."""
        listing = self.source.listing()
        self._copy_run_files(listing)
        found = checkpoints_of(listing)
        names = in_order(found, {})[::-1][: self.last]
        copied, waiting, times = [], {}, []
        for name in names:
            cause, until = self._one(found[name], now)
            if cause is None:
                continue
            if cause:
                waiting[name] = cause
                times += [until] if until is not None else []
                self._say(name, cause)
            else:
                copied.append(name)
        drop_others(self.mirror, waiting)
        return Round(tuple(copied), waiting, min(times, default=None), len(found))

    def _one(self, checkpoint: RemoteCheckpoint, now: Callable[[], float]) -> tuple[str | None, float | None]:
        """Copy one checkpoint. None where it is copied already, "" where it is now, else why not and until when."""
        before = self.mirror.copied(checkpoint.name)
        try:
            commit_data = self._read(checkpoint.commit) if checkpoint.commit is not None else b""
            found, digests = self._judge(checkpoint, commit_data, before)
            if before == _copy_of(checkpoint, found):
                return None, None
            if found.cause and found.until is None:
                return found.cause, None
            if until := self._quiet_until(checkpoint, found, now()):
                return found.cause or f"{checkpoint.name} is given {self.settle_s:g} s to settle.", until
            self._copy(checkpoint, found, commit_data, digests)
        except StoredChanged as error:
            tries = self._tries[checkpoint.name] = self._tries.get(checkpoint.name, 0) + 1
            return str(error), now() + self.settle_s if tries < TRIES else None
        except (LinkInTheWay, RunError) as error:
            return str(error), None
        self._tries.pop(checkpoint.name, None)
        return "", None

    def _judge(
        self, checkpoint: RemoteCheckpoint, commit_data: bytes, before: Copied | None
    ) -> tuple[Found, dict[str, str]]:
        """What is thought of it, and the SHA-256 that its training announced."""
        commit = read_commit(commit_data, checkpoint.name) if commit_data else None
        if commit is not None:
            known = before.etags if before is not None else {}
            earlier = self._own_commit(checkpoint.name) if before is not None else None
            digests = {file.name: file.sha256 for file in commit.files if file.sha256}
            return announced(checkpoint, commit, earlier, known), digests
        index = checkpoint.files.get(INDEX)
        return unannounced(checkpoint, self._read(index) if index is not None else None), {}

    def _quiet_until(self, checkpoint: RemoteCheckpoint, found: Found, now: float) -> float | None:
        """Unix time at which it has been the same for long enough; None where it has, or needs none."""
        seen = (checkpoint.etags, checkpoint.commit)
        known = self._since.get(checkpoint.name)
        if known is None or known[0] != seen:
            known = self._since[checkpoint.name] = (seen, now)
        if self.source.settled or (not found.cause and checkpoint.commit is not None):
            return None
        if found.cause:  # in no order that proves anything: the quiet may have been before we came
            newest = max((stored.modified for stored in found.files.values()), default=now)
            ready = max(min(newest, known[1]) + self.quiet_s, known[1] + self.settle_s)
        else:
            ready = known[1] + self.settle_s
        return ready if now < ready else None

    def _copy(self, checkpoint: RemoteCheckpoint, found: Found, commit: bytes, digests: Mapping[str, str]) -> None:
        """Stage, look again, show. Raises StoredChanged where the second look sees another version."""
        staging = Staging(self.mirror, checkpoint.name)
        self.told.begins(checkpoint.name, sum(stored.size for stored in found.files.values()))
        try:
            staging.fetch(self.source, found, digests, self._count, self.stopped)
        finally:
            self.told.ends()
        again = checkpoints_of(self._listed_again(checkpoint)).get(checkpoint.name)
        if again is None or (again.etags, again.commit) != (checkpoint.etags, checkpoint.commit):
            raise StoredChanged(f"{checkpoint.name} changed while it was copied; it is copied again.")
        staging.note_whole(checkpoint, found, commit if checkpoint.commit is not None else b"")
        staging.publish()
        extra = entry("mirrored", run=self.mirror.run.name, checkpoint=checkpoint.name)
        logger.info("%s/%s is copied", self.mirror.run.name, checkpoint.name, extra=extra)

    def _listed_again(self, checkpoint: RemoteCheckpoint) -> Listing:
        """The checkpoint's files and its commit file, as they are now."""
        if not checkpoint.folder:
            return self.source.listing()
        found = dict(self.source.listing(checkpoint.folder))
        if checkpoint.commit is not None:
            found |= self.source.listing(checkpoint.commit.name)
        return found

    def _copy_run_files(self, listing: Listing) -> None:
        """What describes the run, each file by rename, where it is another version than ours."""
        before = self.mirror.copied(RUN_FILES) or Copied()
        etags = dict(before.etags)
        for name in OF_THE_RUN:
            stored = listing.get(name)
            if stored is None or etags.get(name) == version_of(stored):
                continue
            try:
                Staging(self.mirror, RUN_FILES).fetch_run_file(self.source, stored, self.stopped)
            except StoredChanged:
                continue
            etags[name] = version_of(stored)
        if etags != before.etags:
            with full_disk(self.mirror.run.path):
                self.mirror.note_copied(RUN_FILES, Copied(etags=etags))

    def _own_commit(self, name: str) -> CommitRecord | None:
        try:
            return read_record(self.mirror.run.commits / f"{name}.json", CommitRecord)
        except (OSError, SchemaError):
            return None

    def _read(self, stored: Stored) -> bytes:
        """A small file of the bucket, which is read once a version."""
        if stored not in self._small:
            while len(self._small) >= REMEMBERED:
                self._small.pop(next(iter(self._small)))
            self._small[stored] = read_small(self.source, stored) if stored.size <= MAX_SMALL else b""
        return self._small[stored]

    def _count(self, count: int) -> None:
        self.bytes += count
        self.told.bytes(count)

    def _say(self, name: str, cause: str) -> None:
        """Once for each cause."""
        if self._said.get(name) != cause:
            self._said[name] = cause
            extra = entry("mirror_waits", run=self.mirror.run.name, checkpoint=name, cause=cause)
            logger.info("%s waits: %s", name, cause, extra=extra)


def _copy_of(checkpoint: RemoteCheckpoint, found: Found) -> Copied:
    """What is noted once this is copied."""
    etags = {name: version_of(stored) for name, stored in found.files.items()}
    return Copied(etags=etags, commit=version_of(checkpoint.commit) if checkpoint.commit else "")
