"""Which tensors differ among all digested checkpoints of a run, known without reading a digest twice.

Of each cache entry is kept what tells whether it is still the same file, and of all entries together one value a
tensor and whether another one was ever seen: as little for ten thousand checkpoints as for two. A look reads only
the entries that are new. Where one was replaced or deleted, all are read again, as what it said is in the sum.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from analyzer.checkpoints.digest import ContentDigest, cached_digest
from shared.checkpoint_names import is_plain

MOST_RUNS = 256
"""Runs that a worker keeps the sums of; the one that was opened first goes first."""


class Stamp(NamedTuple):
    """One cache entry as `stat` sees it; each is replaced as a whole."""

    inode: int
    size: int
    mtime_ns: int


@dataclass
class Alike:
    """Checkpoints with the same tensors' names over the same ground."""

    digest: str
    """Of the first one's content."""
    tensors: dict[str, str]
    """The first one's."""
    several: bool = False
    """Whether another content was seen."""
    varying: set[str] = field(default_factory=set)
    """Tensors of which several values were seen."""

    def add(self, one: ContentDigest) -> None:
        self.several = self.several or one.digest != self.digest
        self.varying |= self.differing(one)

    def differing(self, one: ContentDigest) -> set[str]:
        """Tensors that are others than the first one's."""
        return {name for name, value in one.tensors.items() if self.tensors[name] != value}


@dataclass
class RunDigests:
    """The sum over one run's cached digests."""

    folder: Path
    _stamps: dict[str, Stamp] = field(default_factory=dict)
    _alike: dict[object, Alike] = field(default_factory=dict)

    def look(self) -> None:
        """Take in what is new."""
        found = _stamps_in(self.folder)
        if any(found.get(name) != stamp for name, stamp in self._stamps.items()):
            self._stamps, self._alike = {}, {}
        for name in sorted(found.keys() - self._stamps.keys()):
            one = cached_digest(self.folder / name)
            if one is not None:
                self._stamps[name] = found[name]
                self._alike.setdefault(_kind(one), Alike(one.digest, one.tensors)).add(one)

    def knows_others(self, checkpoint: str) -> bool:
        """Whether any other checkpoint was digested."""
        return bool(self._stamps.keys() - {f"{checkpoint}.json"})

    def changed(self, one: ContentDigest) -> set[str] | None:
        """As `changed_tensors` of one checkpoint and all others."""
        alike = self._alike.get(_kind(one))
        if alike is None or not (alike.several or alike.digest != one.digest):
            return None
        return alike.varying | alike.differing(one)


@dataclass
class DigestedRuns:
    """The sums of the runs that a worker had."""

    _by_folder: dict[Path, RunDigests] = field(default_factory=dict)

    def at(self, folder: Path) -> RunDigests:
        """That of one run, as its folder of digests says now."""
        found = self._by_folder.setdefault(folder, RunDigests(folder))
        if len(self._by_folder) > MOST_RUNS:
            del self._by_folder[next(iter(self._by_folder))]
        found.look()
        return found


def _kind(one: ContentDigest) -> object:
    return frozenset(one.tensors), one.ground


def _stamps_in(folder: Path) -> dict[str, Stamp]:
    try:
        with os.scandir(folder) as entries:
            return {
                entry.name: Stamp(info.st_ino, info.st_size, info.st_mtime_ns)
                for entry in entries
                if entry.name.endswith(".json") and is_plain(entry.name.removesuffix(".json"))
                for info in [entry.stat(follow_symlinks=False)]
            }
    except OSError:  # none yet, or one that went just now: what is known is found again
        return {}
