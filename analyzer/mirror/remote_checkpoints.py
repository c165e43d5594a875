"""Which checkpoints a listing holds, of which files, and whether one is complete: the gate's rules, over a network.

With the trainer's commit file: every file it tells of is there in its size, and none was stored after it. Without
one: weights, and `trainer_state.json` not older than they are, in listings that stay equal for `SETTLE_S`. What has
lost that order (tools copy files in any) is given `QUIET_S`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from analyzer.checkpoints.file_names import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    CONFIG,
    INCOMPLETE_MARK,
    INDEX,
    PICKLES,
    TRAINER_STATE,
    WEIGHTS,
)
from analyzer.checkpoints.fingerprint import AT_ROOT, may_be_the_judges
from analyzer.mirror.source import Listing, Stored, version_of
from shared.checkpoint_listing import OURS, has_model
from shared.checkpoint_names import STEP_NAMED, place_of
from shared.records import CommitRecord

SETTLE_S, QUIET_S = 5.0, 120.0
"""Seconds of equal listings: with its files in order, and without."""
FINAL = "final"
"""What a model in the run's own directory is called in the copy, where it is a directory like all others."""
COMMIT = re.compile(r"_midwatch/commits/([^/]+)\.json")


@dataclass(frozen=True)
class RemoteCheckpoint:
    """A checkpoint as a listing shows it."""

    name: str
    """Of its directory in the copy."""
    folder: str
    """Its directory below the run; empty for the run itself."""
    files: Mapping[str, Stored]
    """What may be the judge's, by plain name."""
    commit: Stored | None = None
    """The trainer's commit file."""
    marked_incomplete: bool = False

    @property
    def etags(self) -> dict[str, str]:
        """Version of each file."""
        return {name: version_of(stored) for name, stored in sorted(self.files.items())}

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(stored.size for stored in self.files.values())


@dataclass(frozen=True)
class Found:
    """What is thought of one checkpoint."""

    cause: str = ""
    """Why it is not copied yet; empty for complete."""
    until: float | None = None
    """Unix time at which mere quiet makes it complete; None where something has to be stored first."""
    files: Mapping[str, Stored] = field(default_factory=dict)
    """What is to be copied."""
    mtimes: Mapping[str, int] = field(default_factory=dict)
    """The mtime that each file is to have, ns."""


def checkpoints_of(listing: Listing) -> dict[str, RemoteCheckpoint]:
    """Every checkpoint in a listing, by name. Where any is announced, only `checkpoint-<step>` counts, as here."""
    folders: dict[str, dict[str, Stored]] = {}
    commits: dict[str, Stored] = {}
    for name, stored in listing.items():
        folder, _, file = name.rpartition("/")
        if match := COMMIT.fullmatch(name):
            commits[match[1]] = stored
        elif "/" not in folder and folder not in OURS:
            folders.setdefault(folder, {})[file] = stored
    found = {}
    for folder, files in folders.items():
        counts = STEP_NAMED.match(folder) if commits else folder and place_of(folder) is not None
        if counts and _holds_model(files):
            found[folder] = _checkpoint(folder, folder, files, commits.get(folder))
    root = {name: stored for name, stored in folders.get("", {}).items() if AT_ROOT.fullmatch(name)}
    if not commits and FINAL not in folders and has_model(set(root)):
        found[FINAL] = _checkpoint(FINAL, "", root, None)
    return found


def _holds_model(files: Mapping[str, Stored]) -> bool:
    return any(name.endswith((".safetensors", *PICKLES)) or name in (CONFIG, ADAPTER_CONFIG) for name in files)


def _checkpoint(name: str, folder: str, files: Mapping[str, Stored], commit: Stored | None) -> RemoteCheckpoint:
    ours = {each: stored for each, stored in files.items() if may_be_the_judges(each)}
    return RemoteCheckpoint(name, folder, ours, commit, INCOMPLETE_MARK in files)


def read_commit(data: bytes, name: str) -> CommitRecord | None:
    """A commit file of this checkpoint; None for what is none."""
    try:
        record = CommitRecord.model_validate_json(data)
    except ValidationError:
        return None
    return record if record.checkpoint == name and record.schema_version == 1 else None


def announced(
    checkpoint: RemoteCheckpoint, commit: CommitRecord, before: CommitRecord | None, known: Mapping[str, str]
) -> Found:
    """By the trainer's word. `before` and `known` are commit file and versions of the copy that is there already.

    A word can arrive before the files that it is about: then a size differs, or a file that was written anew still
    has the version of before, or a file is stored later than the word. The latter two may be harmless, and get
    quiet (`until` 0).
    """
    assert checkpoint.commit is not None  # noqa: S101 (the caller's condition)
    told = {file.name: file for file in commit.files if may_be_the_judges(file.name)}
    if not told:
        return Found(f"The commit file of {checkpoint.name} names no file.")
    for name, file in sorted(told.items()):
        stored = checkpoint.files.get(name)
        if stored is None or stored.size != file.size:
            what = "is not there yet" if stored is None else f"has {stored.size} of {file.size} bytes"
            return Found(f"{checkpoint.name}/{name} {what}.")
    files = {name: checkpoint.files[name] for name in told}
    mtimes = {name: file.mtime_ns for name, file in told.items()}
    earlier = {file.name: file.mtime_ns for file in before.files} if before is not None else {}
    for name, stored in sorted(files.items()):
        late = stored.modified > checkpoint.commit.modified
        same = (
            name in earlier and earlier[name] != mtimes[name] and known.get(name) == f"{stored.size} {stored.etag}"
        )
        if late or same:
            why = (
                "is stored later than its commit file" if late else "is still what it was before it was saved again"
            )
            return Found(f"{checkpoint.name}/{name} {why}", 0.0, files, mtimes)
    return Found("", None, files, mtimes)


def unannounced(checkpoint: RemoteCheckpoint, index: bytes | None) -> Found:
    """By its files. `index` is what INDEX holds, where it has one. `until` 0 asks for quiet."""
    files = {name: stored for name, stored in checkpoint.files.items() if not name.endswith(PICKLES)}
    if checkpoint.marked_incomplete:
        return Found(f"{checkpoint.name} is marked incomplete by its trainer.")
    if missing := _missing(files, index):
        pickles = [name for name in checkpoint.files if name.endswith(PICKLES)]
        if pickles and not any(name.endswith(".safetensors") for name in files):
            return Found(
                f"{checkpoint.name} has its weights in pickles ({pickles[0]}), which Midwatch does not open."
            )
        return Found(f"{checkpoint.name}/{missing} is not there yet.")
    mtimes = {name: int(stored.modified * 1e9) for name, stored in files.items()}
    state = files.get(TRAINER_STATE)
    if state is None or any(stored.modified > state.modified for stored in files.values()):
        why = f"has no {TRAINER_STATE}" if state is None else f"has files newer than its {TRAINER_STATE}"
        return Found(f"{checkpoint.name} {why}", 0.0, files, mtimes)
    return Found("", None, files, mtimes)


def _missing(files: Mapping[str, Stored], index: bytes | None) -> str:
    """A file without which there is no model; empty for none."""
    if ADAPTER_CONFIG in files:
        return "" if ADAPTER_WEIGHTS in files else ADAPTER_WEIGHTS
    if CONFIG not in files:
        return CONFIG
    if WEIGHTS in files:
        return ""
    if index is None:
        return WEIGHTS
    try:
        shards = set(json.loads(index)["weight_map"].values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"{INDEX} (one that can be read)"
    absent = sorted(str(name) for name in shards if name not in files)
    return absent[0][:80] if absent else ""
