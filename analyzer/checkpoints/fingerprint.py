"""What a checkpoint directory looks like from outside: enough to notice that anything we read has changed.

Name, inode, size and mtime of every file that makes the judge; ctime is left out, because a hard link changes it.
Optimizer, scheduler and random-number states are not the judge's and are never looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from shared.checkpoint_names import ROOT, is_plain

NOT_THE_JUDGE = re.compile(
    r"^(\..*|optimizer.*|scheduler.*|scaler.*|rng_state.*|random_states.*|training_args\.bin|README\.md)$"
)
"""Files of the training, not of the judge: never opened, and no part of a fingerprint."""
AT_ROOT = re.compile(
    r"(?:adapter_|generation_|tokenizer_|preprocessor_)?config\.json|tokenizer\.json|special_tokens_map\.json"
    r"|added_tokens\.json|vocab\.(?:json|txt)|merges\.txt|chat_template\.(?:json|jinja)|trainer_state\.json"
    r"|[^.].*\.(?:safetensors|safetensors\.index\.json|model)|(?:pytorch_|adapter_)?model.*\.(?:bin|pt|pth)"
)
"""The judge's files in a run's own directory, where logs, our own files and whatever else lie beside them."""


@lru_cache(maxsize=2**12)
def may_be_the_judges(name: str) -> bool:
    """Whether a file of that name can be the judge's: none whose name is not UTF-8 is, nor a training's state."""
    return is_plain(name) and not NOT_THE_JUDGE.match(name)


class FileStat(NamedTuple):
    """One file as `stat` sees it."""

    name: str
    inode: int
    size: int
    """Bytes."""
    mtime_ns: int


Fingerprint = tuple[FileStat, ...]
"""The judge's files of one directory, by name."""


def fingerprint(directory: Path, checkpoint: str = "") -> Fingerprint:
    """The judge's files in `directory` (subdirectories are not followed). Raises OSError when it is gone.

    `checkpoint` is its name: of a run's own directory (ROOT) only what is known as a judge's counts.

    A file that vanishes between listing and stat is left out: the fingerprint then simply differs from the last.
    """
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if not may_be_the_judges(entry.name) or (checkpoint == ROOT and not AT_ROOT.fullmatch(entry.name)):
                continue
            try:
                info = entry.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(info.st_mode):
                found.append(FileStat(entry.name, info.st_ino, info.st_size, info.st_mtime_ns))
    return tuple(sorted(found))


def nothing_was_deleted(directory: Path) -> bool:
    """Whether the directory's own last change is the making of a file that is still there. Raises OSError.

    A deletion changes a directory and leaves no file as new as that, so a directory that is being deleted shows
    before it is empty. Whoever renames its last file into place looks the same, and has to be watched instead.
    """
    with os.scandir(directory) as entries:
        newest = max((entry.stat(follow_symlinks=False).st_mtime_ns for entry in entries), default=0)
    return directory.stat().st_mtime_ns <= newest


@lru_cache(maxsize=2**14)
def fingerprint_digest(files: Fingerprint) -> str:
    """A short name for a fingerprint."""
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:20]


def newest_mtime(files: Fingerprint) -> float:
    """Unix time of the last change of any file, seconds; 0 for no files."""
    return max((file.mtime_ns for file in files), default=0) / 1e9
