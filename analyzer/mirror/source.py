"""What a remote run is to the mirror: names, sizes and ETags of what lies there, and bytes of one version.

Names are a stranger's: only those of plain parts are passed on (`plain_parts`), and no other is ever a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import IO, NamedTuple, Protocol

from shared.checkpoint_names import is_plain
from shared.errors import StorageRefused, StoredChanged

BLOCK = 16 * 2**20
"""Bytes of one request for a part of an object."""
MOST_OBJECTS = 500_000
"""Objects of one run that are looked at."""
MAX_SMALL = 64 * 2**20
"""Largest object that is read into memory, bytes."""


class Stored(NamedTuple):
    """One version of one object."""

    name: str
    """Below the run, its parts separated by slashes."""
    size: int
    """Bytes."""
    etag: str
    """Whatever the storage tells versions apart by; another one is another content."""
    modified: float
    """Unix time, seconds."""
    place: str
    """What the storage itself calls it."""


Listing = Mapping[str, Stored]
"""By name."""
Reader = Callable[[int, int], bytes]
"""(offset, bytes wanted) -> bytes, of the one version that was opened."""


class Source(Protocol):
    """A run in a bucket, or a model's revisions on the Hub."""

    settled: bool
    """Whether what is listed is a version that cannot change any more, as a revision of the Hub."""

    def listing(self, below: str = "") -> Listing:
        """What lies there now, never from a cache. Raises StorageRefused."""
        ...

    def opened(self, stored: Stored) -> AbstractContextManager[Reader]:
        """This version, to read. Raises StoredChanged where it is no more what lies there, and StorageRefused."""
        ...

    def put(self, name: str, file: IO[bytes]) -> None:
        """Replace the object `name` by all of `file`, in one step. Raises StorageRefused."""
        ...


def read_small(source: Source, stored: Stored) -> bytes:
    """All of a small object. Raises StoredChanged and StorageRefused, the latter also where it is not small."""
    if stored.size > MAX_SMALL:
        raise StorageRefused(f"{stored.name} is larger than {MAX_SMALL // 2**20} MiB; it is not read.")
    with source.opened(stored) as read:
        return b"".join(blocks(read, stored))


def blocks(read: Reader, stored: Stored, offset: int = 0) -> Iterator[bytes]:
    """The bytes of an object from `offset` on. Raises StoredChanged where it ends too early."""
    while offset < stored.size:
        data = read(offset, min(BLOCK, stored.size - offset))
        if not data:
            raise StoredChanged(f"{stored.name} ends after {offset} of {stored.size} bytes; it is read again.")
        yield data
        offset += len(data)


def version_of(stored: Stored) -> str:
    """What tells one version of a file from another."""
    return f"{stored.size} {stored.etag}"


def plain_parts(name: str) -> bool:
    """Whether an object's name is a path of plain names below the run, and of nothing else."""
    return len(name) <= 900 and all(is_plain(part) and part.isprintable() for part in name.split("/"))
