"""Which results exist, kept up to date by directory stamps alone.

A commit renames a result directory into `results/<checkpoint>/<analysis>/`, which changes that folder's mtime. So
one `stat` for each known folder tells what is new, and only folders that changed are listed again: a look at 500
checkpoints costs some ten milliseconds and reads no result.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from shared.checkpoint_names import is_plain
from shared.results import RESULT_FILE

SETTLE_NS = 2_000_000_000
"""A folder changed less than this ago is listed again at the next look (file systems tick in up to 2 s)."""


@dataclass(frozen=True)
class ResultFile:
    """The newest committed result of one analysis of one checkpoint."""

    path: str
    """Of result.json."""
    mtime_ns: int


@dataclass(frozen=True)
class Folder:
    """A directory whose listing is known as of `mtime_ns`; -1 when it must be listed again."""

    mtime_ns: int = -1
    names: list[str] = field(default_factory=list)


class Listings:
    """Visible directories by folder, listed again only where the folder's stamp says so."""

    def __init__(self) -> None:
        self._folders: dict[str, Folder] = {}

    def names(self, path: str) -> tuple[list[str], bool]:
        """Names of the visible directories in `path`, sorted, and whether they had to be listed again."""
        folder = self._folders.get(path, Folder())
        try:
            mtime_ns = os.stat(path).st_mtime_ns  # noqa: PTH116 - thousands of times a look: Path costs 3x
            if mtime_ns == folder.mtime_ns:
                return folder.names, False
            with os.scandir(path) as entries:
                names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
        except OSError:
            self._folders.pop(path, None)
            return [], True
        # a second commit within one tick of the file system's clock leaves the same mtime: a young one is no proof
        settled = time.time_ns() - mtime_ns > SETTLE_NS
        self._folders[path] = Folder(mtime_ns if settled else -1, names)
        return names, True


class ResultsIndex:
    """Index over one `results/` directory, shared by all sessions; `refresh` may be called from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = 0
        """Grows by one whenever a refresh finds a difference."""
        self._listings = Listings()
        self._newest: dict[tuple[str, str], ResultFile] = {}
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Look at the stamps, list what changed, and return the version."""
        with self._lock:
            seen: set[tuple[str, str]] = set()
            for checkpoint in self._listings.names(str(self.root))[0]:
                if not is_plain(checkpoint):
                    continue
                for analysis in self._listings.names(f"{self.root}/{checkpoint}")[0]:
                    self._look(checkpoint, analysis, seen)
            for gone in self._newest.keys() - seen:
                del self._newest[gone]
                self.version += 1
            return self.version

    def files(self) -> dict[str, dict[str, ResultFile]]:
        """Checkpoint -> analysis -> its newest result, as of the last refresh."""
        found: dict[str, dict[str, ResultFile]] = {}
        with self._lock:
            for (checkpoint, analysis), file in self._newest.items():
                found.setdefault(checkpoint, {})[analysis] = file
        return found

    def _look(self, checkpoint: str, analysis: str, seen: set[tuple[str, str]]) -> None:
        place = (checkpoint, analysis)
        path = f"{self.root}/{checkpoint}/{analysis}"
        keys, changed = self._listings.names(path)
        newest = newest_result(path, keys) if changed or place not in self._newest else self._newest[place]
        if newest is None:
            return
        seen.add(place)
        if self._newest.get(place) != newest:
            self._newest[place] = newest
            self.version += 1


def newest_result(folder: str, keys: list[str]) -> ResultFile | None:
    """The newest `<key>/result.json` under an analysis' folder."""
    found = []
    for key in keys:
        path = f"{folder}/{key}/{RESULT_FILE}"
        try:
            found.append((os.stat(path).st_mtime_ns, path))  # noqa: PTH116 - as above
        except OSError:
            continue
    if not found:
        return None
    mtime_ns, path = max(found)
    return ResultFile(path, mtime_ns)
