"""Symbolic links in a checkpoint. None is followed, but for those of a model in the Hub's cache.

There `models--ORG--NAME/snapshots/REVISION/` holds links to files in `models--ORG--NAME/blobs/`. They are read only
in a directory that the user gave as a run, and only where they end in that `blobs` folder.
"""

from __future__ import annotations

from pathlib import Path

from analyzer.checkpoints.fingerprint import Fingerprint

BLOBS, SNAPSHOTS = "blobs", "snapshots"


def refused_link(source: Path, files: Fingerprint, *, in_cache: bool) -> str | None:
    """Name of a file that is a link we do not follow; None when there is none. `in_cache` allows the Hub's own."""
    links = [file.name for file in files if (source / file.name).is_symlink()]
    if in_cache and is_snapshot(source):
        blobs = blobs_of(source)
        links = [name for name in links if (source / name).resolve().parent != blobs]
    return links[0] if links else None


def is_snapshot(directory: Path) -> bool:
    """Whether a directory lies in the Hub's cache (or in one made like it)."""
    return directory.parent.name == SNAPSHOTS and blobs_of(directory).is_dir()


def blobs_of(directory: Path) -> Path:
    """Where a snapshot's files are, no link on the way from the model's folder."""
    return directory.resolve().parent.parent / BLOBS
