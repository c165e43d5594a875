"""A disk that refuses the Nth call, and no other: what is asked of it goes through `os`, also from `pathlib`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CALLS = ("open", "replace", "rename", "unlink", "mkdir", "link", "fsync", "rmdir", "utime", "chmod", "scandir")
KILL = -1
"""Instead of an errno: from the refused call on nothing is done any more."""


class Killed(BaseException):
    """The process that asked is gone: nobody catches that, and nothing is done after it."""


class FailingDisk:
    """Counts calls about places below `root`, and refuses one of them."""

    def __init__(self, root: Path, refused: int, errno: int) -> None:
        self.root, self.refused, self.errno = str(root), refused, errno
        self.seen = 0
        self.resting = False
        """While set, nothing is counted or refused: somebody else's call."""
        self.hit = ""
        """Which call was refused."""

    def around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **options: Any) -> Any:
            if not self.resting and self._is_ours(words, options):
                self.seen += 1
                if self.errno == KILL and self.seen >= self.refused:
                    self.hit = self.hit or f"{name} {words[0]}"
                    raise Killed
                if self.seen == self.refused:
                    self.hit = f"{name} {words[0]}"
                    raise OSError(self.errno, os.strerror(self.errno), str(words[0]))
            return real(*words, **options)

        return call

    def _is_ours(self, words: tuple[Any, ...], options: dict[str, Any]) -> bool:
        folders = [value for key, value in options.items() if key.endswith("dir_fd") and value is not None]
        descriptors = [*folders, *(word for word in words[:1] if type(word) is int)]
        places = [str(Path(f"/proc/self/fd/{each}").readlink()) for each in descriptors] or [str(words[0])]
        return any(place.startswith(self.root) for place in places)


@contextmanager
def failing_disk(root: Path, refused: int, errno: int) -> Iterator[FailingDisk]:
    """Inside, the `refused`th call about what lies below `root` fails with `errno`; with KILL all after it, too."""
    disk = FailingDisk(root, refused, errno)
    supported = {name: real for name in CALLS if (real := getattr(os, name)) is not None}
    with pytest.MonkeyPatch.context() as patched:
        for name, real in supported.items():
            patched.setattr(os, name, disk.around(name, real))
        yield disk
