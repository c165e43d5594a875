"""Results back to where the run lies: what the analyzer published, each file where its run has it.

A result is whole by its `result.json`, which goes last. What was sent is noted by size and mtime, so that a round
without news costs one walk. No link is followed, and what is hidden (being written) is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import Field

from analyzer.mirror.own_mirror import OwnMirror
from analyzer.mirror.source import Source, plain_parts
from analyzer.mirror.staging import Interrupted, full_disk
from shared.errors import SchemaError
from shared.files import open_regular, read_record, write_record
from shared.own_folders import VISUALIZATIONS
from shared.records import Frozen

SENT = ("results", "evaluations", "attacks")
"""Folders of `_midwatch`, beside the pictures."""
MARKER = "result.json"


class Pushed(Frozen):
    """pushed.json: file below the run -> its size in bytes and mtime in ns when it was sent."""

    schema_version: int = 1
    files: dict[str, tuple[int, int]] = Field(default_factory=dict)


def push(source: Source, mirror: OwnMirror, stopped: Callable[[], bool]) -> int:
    """Send what is new; returns how many files. Raises StorageRefused, OSError and Interrupted."""
    place = mirror.place / "pushed.json"
    try:
        known = dict(read_record(place, Pushed).files)
    except (OSError, SchemaError):
        known = {}
    sent = 0
    try:
        for name in sorted(_published(mirror.run.path), key=lambda name: (name.endswith(MARKER), name)):
            if stopped():
                raise Interrupted
            sent += _send(source, mirror.run.path, name, known)
    finally:
        if sent:
            with full_disk(mirror.run.path):
                write_record(place, Pushed(files=known), durable=False)
    return sent


def _send(source: Source, run: Path, name: str, known: dict[str, tuple[int, int]]) -> bool:
    """Whether the file was sent: it is there, and another one than was sent before."""
    try:
        with open_regular(run / name) as file:
            info = os.fstat(file.fileno())
            version = info.st_size, info.st_mtime_ns
            if known.get(name) == version:
                return False
            source.put(name, file)
    except (FileNotFoundError, SchemaError):  # deleted or replaced just now
        return False
    known[name] = version
    return True


def _published(run: Path) -> Iterator[str]:
    """Names below the run of all that is sent."""
    for folder in (*(f"_midwatch/{name}" for name in SENT), VISUALIZATIONS):
        if not (run / folder).is_symlink():
            yield from _files(run, folder)


def _files(run: Path, folder: str) -> Iterator[str]:
    """Plain files below a folder; what goes, or cannot be looked at, meanwhile is left for the next look."""
    try:
        entries = sorted(os.scandir(run / folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        name = f"{folder}/{entry.name}"
        if not plain_parts(name):
            continue
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            yield from _files(run, name)
        elif stat.S_ISREG(mode):
            yield name
