"""The copy on this disk: a directory that the mirror made itself and marked, one process at a time.

    RUN/checkpoint-120/                     a whole checkpoint, or none
    RUN/_midwatch/commits/checkpoint-120.json
    RUN/_midwatch/mirror/mirror.json        the mark: of which address this is the copy
    RUN/_midwatch/mirror/lock               held while a mirror works
    RUN/_midwatch/mirror/staging/NAME/      what is being copied; see `analyzer/mirror/staging.py`
    RUN/_midwatch/mirror/copied/NAME.json   of which versions the copy is
    RUN/_midwatch/mirror/old/               what was replaced, until it is deleted

All of it is written through descriptors, so that no link leads out of the copy (`shared/own_folders.py`).
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from shared.errors import LinkInTheWay, RunError, SchemaError, UsageError
from shared.files import fsync_directory, read_record, write_bytes_atomic, write_record
from shared.own_folders import (
    MIDWATCH,
    folder_of,
    list_directory,
    make_directory,
    open_beneath,
    remove_directory,
)
from shared.records import Frozen
from shared.run import Run
from shared.user_paths import expanded, make_output

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

MIRROR = "mirror"


class Mark(Frozen):
    """mirror.json."""

    schema_version: int = 1
    of: str
    """The address, which holds no credential."""


class Copied(Frozen):
    """copied/NAME.json: of which versions a checkpoint, or the run's own small files, are a copy."""

    schema_version: int = 1
    etags: dict[str, str] = Field(default_factory=dict)
    """File -> its size and version."""
    commit: str = ""
    """Version of the commit file; empty without one."""


@dataclass(frozen=True)
class OwnMirror:
    """A directory that is the copy of one remote run."""

    run: Run

    @property
    def place(self) -> Path:
        return self.run.path / MIDWATCH / MIRROR

    @property
    def staging(self) -> Path:
        return self.place / "staging"

    @property
    def old(self) -> Path:
        return self.place / "old"

    def copied(self, name: str) -> Copied | None:
        """Of which versions a checkpoint's copy is; None where there is none."""
        try:
            found = read_record(self.place / "copied" / f"{name}.json", Copied)
        except (OSError, SchemaError):
            return None
        return found if name == RUN_FILES or (self.run.path / name).is_dir() else None

    def note_copied(self, name: str, copied: Copied) -> None:
        """Raises OSError."""
        write_record(self.place / "copied" / f"{name}.json", copied)

    def publish(self, name: str, whole: Path) -> None:
        """Put the directory `whole` in the checkpoint's place by rename; what was there goes aside first.

        Raises OSError, LinkInTheWay among it, and RunError where something stands there that no mirror put there.
        """
        target = self.run.path / name
        if target.is_symlink():
            raise LinkInTheWay(target)
        if target.exists():
            if self.copied(name) is None:
                raise RunError(f"{target} is there already and is no copy of the mirror's; move it away.")
            make_directory(self.old)
            rename(target, self.old / f"{name}-{uuid.uuid4().hex[:8]}")
        rename(whole, target)
        fsync_directory(self.run.path)

    def write_commit(self, name: str, data: bytes) -> None:
        """Raises OSError."""
        write_bytes_atomic(self.run.commits / f"{name}.json", data)

    def tidy(self) -> None:
        """Delete what was replaced."""
        for name in list_directory(self.old):
            remove_directory(self.old / name)


RUN_FILES = "run-files"
"""What the run's own small files are called among what is copied; no checkpoint is named so."""


@contextmanager
def open_mirror(path: Path, address: str) -> Iterator[OwnMirror]:
    """The copy of `address` at `path`, held for this process; made and marked where nothing is there yet.

    Raises UsageError for a directory that no mirror of this address made and on Windows,
    RunError where another one holds it.
    """
    if fcntl is None:
        raise UsageError("A mirror needs locks of files as Linux and macOS have them; use it there, or in WSL.")
    path = expanded(path).absolute()
    if path.is_symlink() or path.exists():
        _refuse_foreign(path, address)
    else:
        make_output(path)
    mirror = OwnMirror(Run(path.resolve(), path.resolve()))
    make_directory(mirror.place)
    with _held(mirror.place / "lock", path):
        write_record(mirror.place / "mirror.json", Mark(of=address))
        for folder in (mirror.staging, mirror.run.commits) if mirror.run.commits.exists() else (mirror.staging,):
            make_directory(folder)
        yield mirror


def _refuse_foreign(path: Path, address: str) -> None:
    """Raise UsageError for a directory that holds something and is no copy of `address`."""
    if not path.is_dir():
        raise UsageError(f"{path} is no directory; give one that is not there yet.")
    try:
        mark = read_record(path / MIDWATCH / MIRROR / "mirror.json", Mark)
    except FileNotFoundError:
        if not _empty(path):
            raise UsageError(
                f"{path} holds something that no mirror put there, and nothing is written into it; give a "
                "directory that is not there yet."
            ) from None
        return
    except SchemaError as error:
        raise UsageError(f"{error} Give another directory.") from error
    if mark.of != address:
        raise UsageError(f"{path} is the copy of {mark.of[:200]}; give {address} another directory.")


def _empty(path: Path) -> bool:
    """Whether nothing is in a directory, but for what a mirror makes first and was killed over."""
    return all(folder.name in (MIDWATCH, MIRROR, "lock") and not folder.is_symlink() for folder in path.rglob("*"))


@contextmanager
def _held(lock: Path, path: Path) -> Iterator[None]:
    """Raises RunError where another process has it."""
    descriptor = open_beneath(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            assert fcntl is not None  # noqa: S101 (looked at by the caller)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"Another mirror copies into {path}; let it, or stop it first.") from None
        yield
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Move a file or directory, through no link on either way. Raises OSError."""
    with folder_of(source) as here, folder_of(target) as there:
        os.rename(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def is_regular(path: Path, size: int) -> bool:
    """Whether a plain file of that size stands there, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size and found.st_nlink == 1
