"""One checkpoint on its way here: file by file, kept over a kill, shown by nobody before it is whole.

    staging/NAME/record.json    which version each file is of; written before the bytes
    staging/NAME/part           the file that is being read: its bytes up to here
    staging/NAME/files/         those that are whole
    staging/NAME/commit.json    the commit file that belongs to them

`whole` in the record says that nothing is missing: after a kill such a checkpoint is published and no other.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from analyzer.checkpoints.safetensors_header import read_header
from analyzer.mirror.own_mirror import Copied, OwnMirror, is_regular, rename
from analyzer.mirror.remote_checkpoints import Found, RemoteCheckpoint
from analyzer.mirror.source import Source, Stored, blocks, version_of
from shared.errors import CheckpointRejected, MidwatchError, SchemaError, StoredChanged
from shared.files import fsync_directory, open_regular, read_bytes, read_record, write_bytes_atomic, write_record
from shared.own_folders import list_directory, make_directory, open_beneath, remove_directory
from shared.records import Frozen

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPARE = 64 * 2**20
"""Bytes that are left free on the disk."""

Progress = Callable[[int], None]
"""Told of bytes as they come."""


class Interrupted(Exception):
    """Somebody asked us to stop; what is staged stays."""


class LocalDiskFull(MidwatchError):
    """Our own disk is full: what is copied stays, and the mirror goes on from there."""


class Staged(Frozen):
    """record.json."""

    etags: dict[str, str] = Field(default_factory=dict)
    """File -> size and version, of what is in `files` or `part`."""
    part: str = ""
    """The file that `part` is the beginning of."""
    copied: Copied | None = None
    """Set once all is here: what is published."""


class Staging:
    """The place where one checkpoint is put together."""

    def __init__(self, mirror: OwnMirror, name: str) -> None:
        self.mirror, self.name = mirror, name
        self.place = mirror.staging / name
        self.files = self.place / "files"
        self._part = self.place / "part"
        make_directory(self.files)

    @property
    def record(self) -> Staged:
        try:
            return read_record(self.place / "record.json", Staged)
        except (OSError, SchemaError):
            return Staged()

    def fetch(
        self, source: Source, found: Found, digests: Mapping[str, str], told: Progress, stopped: Callable[[], bool]
    ) -> None:
        """Bring every file here that is not here yet, in the gate's order: weights first, what completes them last.

        `digests` are SHA-256 that the training announced. Raises StoredChanged, StorageRefused, LocalDiskFull,
        OSError, and Interrupted.
        """
        self._drop_others(found.files)
        with full_disk(self.mirror.run.path):
            self._need_space(found.files)
            for name, stored in sorted(found.files.items(), key=_weights_first):
                if not self._has(name, stored):
                    self._fetch_one(source, name, stored, told, stopped)
                self._check(name, digests.get(name, ""))
                os.utime(self.files / name, ns=(found.mtimes[name], found.mtimes[name]), follow_symlinks=False)
            fsync_directory(self.files)

    def fetch_run_file(self, source: Source, stored: Stored, stopped: Callable[[], bool]) -> None:
        """Put one of the run's own files, of any size, in its place by rename. Raises as `fetch`."""
        with full_disk(self.mirror.run.path):
            self._need_space({stored.name: stored})
            if not self._has(stored.name, stored):
                self._fetch_one(source, stored.name, stored, lambda count: None, stopped)
            rename(self.files / stored.name, self.mirror.run.path / stored.name)
            fsync_directory(self.mirror.run.path)

    def note_whole(self, checkpoint: RemoteCheckpoint, found: Found, commit: bytes) -> None:
        """Nothing is missing, and the bucket still holds the same: from here on a kill loses nothing."""
        etags = {name: version_of(stored) for name, stored in found.files.items()}
        copied = Copied(etags=etags, commit=version_of(checkpoint.commit) if checkpoint.commit else "")
        with full_disk(self.mirror.run.path):
            write_bytes_atomic(self.place / "commit.json", commit)
            write_record(self.place / "record.json", Staged(etags=etags, copied=copied))

    @property
    def is_half_published(self) -> bool:
        """Whether a kill, or the disk, left it within `publish`, which then goes on."""
        target = self.mirror.run.path / self.name
        return self.record.copied is not None and not (list_directory(self.files) and target.exists())

    def publish(self) -> None:
        """Rename it into its place, write its commit file, note what it is. Raises OSError and RunError."""
        copied = self.record.copied
        if copied is None:
            return
        with full_disk(self.mirror.run.path):
            if list_directory(self.files):
                self.mirror.publish(self.name, self.files)
            commit = read_bytes(self.place / "commit.json")
            if commit:
                self.mirror.write_commit(self.name, commit)
            self.mirror.note_copied(self.name, copied)
        remove_directory(self.place)
        self.mirror.tidy()

    def _has(self, name: str, stored: Stored) -> bool:
        known = self.record
        whole = known.part != name and known.etags.get(name) == version_of(stored)
        return whole and is_regular(self.files / name, stored.size)

    def _drop_others(self, wanted: Mapping[str, Stored]) -> None:
        """What is here of files or versions that are not wanted any more."""
        known = self.record
        kept = {name: etag for name, etag in known.etags.items() if _is(etag, wanted.get(name))}
        for name in list_directory(self.files):
            if name not in kept or known.part == name:
                (self.files / name).unlink()
        if known.part and known.part not in kept:
            self._part.unlink(missing_ok=True)
        if kept != known.etags or known.copied is not None:
            part = known.part if known.part in kept else ""
            write_record(self.place / "record.json", Staged(etags=kept, part=part), durable=False)

    def _need_space(self, wanted: Mapping[str, Stored]) -> None:
        """Raise LocalDiskFull before a byte is read that there is no place for."""
        missing = sum(stored.size for name, stored in wanted.items() if not self._has(name, stored))
        here = self._part.lstat().st_size if self._part.exists() else 0
        free = shutil.disk_usage(self.place).free
        if missing - here > free - SPARE:
            raise LocalDiskFull(
                f"{self.mirror.run.path}: {self.name} needs {(missing - here) / 1e6:,.0f} MB and {free / 1e6:,.0f} "
                "MB are free; free space. What is copied stays, and the mirror goes on from there."
            )

    def _fetch_one(
        self, source: Source, name: str, stored: Stored, told: Progress, stopped: Callable[[], bool]
    ) -> None:
        known = self.record
        going_on = known.part == name and known.etags.get(name) == version_of(stored)
        if not going_on:
            self._part.unlink(missing_ok=True)
            begun = Staged(etags={**known.etags, name: version_of(stored)}, part=name)
            write_record(self.place / "record.json", begun, durable=False)
        with _growing(self._part) as (descriptor, begun_at):
            if begun_at > stored.size:
                os.ftruncate(descriptor, 0)
                begun_at = 0
            os.lseek(descriptor, begun_at, os.SEEK_SET)
            with source.opened(stored) as read:
                for block in blocks(read, stored, begun_at):
                    _write_all(descriptor, block)
                    told(len(block))
                    if stopped():
                        raise Interrupted
            os.fsync(descriptor)
        rename(self._part, self.files / name)
        write_record(self.place / "record.json", self.record.model_copy(update={"part": ""}), durable=False)

    def _check(self, name: str, digest: str) -> None:
        """Raise StoredChanged where a file is cut off, or is not what was announced: it is fetched anew later."""
        path = self.files / name
        if name.endswith(".safetensors"):
            try:
                read_header(path)
            except CheckpointRejected as error:
                path.unlink()
                raise StoredChanged(f"{self.name}: {error}") from error
        if digest and _sha256(path) != digest:
            path.unlink()
            raise StoredChanged(
                f"{self.name}/{name} is not what its training announced (another SHA-256); store it again."
            )


def recover(mirror: OwnMirror) -> None:
    """Publish what was whole when a mirror was killed; the rest is gone on with when its turn comes."""
    for name in list_directory(mirror.staging):
        staging = Staging(mirror, name)
        if staging.is_half_published:
            staging.publish()
    mirror.tidy()


def drop_others(mirror: OwnMirror, wanted: Collection[str]) -> None:
    """Delete the bytes of what is not on its way any more. Raises OSError."""
    for name in list_directory(mirror.staging):
        if name not in wanted and not (staging := Staging(mirror, name)).is_half_published:
            remove_directory(staging.place)


@contextmanager
def full_disk(place: Path) -> Iterator[None]:
    """Inside, a full disk is one sentence. Raises LocalDiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise LocalDiskFull(
            f"{place}: {os.strerror(error.errno or 0)}; free space. What is copied stays, and the mirror goes on "
            "from there."
        ) from error


def _is(etag: str, stored: Stored | None) -> bool:
    return stored is not None and etag == version_of(stored)


def _weights_first(item: tuple[str, Stored]) -> tuple[bool, str]:
    return not item[0].endswith(".safetensors"), item[0]


@contextmanager
def _growing(path: Path) -> Iterator[tuple[int, int]]:
    """A file to go on with: its descriptor, and how many bytes it has."""
    descriptor = open_beneath(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        yield descriptor, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
