"""Pins: hard links that keep a checkpoint alive while it waits and is analysed, whatever the trainer deletes.

Weights are linked, which costs nothing until the trainer deletes them; small files are copied. A pin is made aside
and renamed, so it is whole or absent. Where links are impossible (another filesystem, no permission) or the byte
budget is spent there is no pin: the checkpoint is analysed in place and verified afterwards.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from analyzer.checkpoints.fingerprint import FileStat, Fingerprint, fingerprint
from analyzer.checkpoints.gate import Candidate
from shared.checkpoint_names import ROOT, is_plain, place_of
from shared.errors import CheckpointChanged, SchemaError
from shared.files import read_record, write_record
from shared.logs import entry
from shared.own_folders import list_directory, make_directory, refuse_links, remove_directory
from shared.records import Frozen

logger = logging.getLogger(__name__)

PIN_FILE = ".pin.json"
"""Beside the pinned files: what they are pins of. Its leading dot keeps it out of fingerprints."""
HALF_MADE = re.compile(r"\.[^.].*\.[a-z0-9_]{8}")
"""Name of a directory in which a pin is being made: of its checkpoint, and what `mkdtemp` adds."""
COPY_BELOW = 16 * 2**20
"""Files smaller than this that are not safetensors are copied, bytes; larger ones are linked like weights."""


class PinRecord(Frozen):
    """Which checkpoint a pin keeps: enough to analyse it when its directory is gone."""

    schema_version: int = 1
    checkpoint: str
    step: int
    epoch: float | None
    source: Path
    files: list[FileStat]
    complete_at: float
    order_unverified: bool


@dataclass(frozen=True)
class Pin:
    """One pinned checkpoint."""

    directory: Path
    candidate: Candidate

    @property
    def size(self) -> int:
        """Bytes held when the trainer deletes the source."""
        return sum(file.size for file in self.candidate.files)


@dataclass(frozen=True)
class PinStore:
    """All pins of one run, under `_midwatch/pins/`."""

    root: Path
    budget: int
    """Bytes that pins may hold."""

    def pin(self, candidate: Candidate) -> Pin | None:
        """Pin a checkpoint; None when it has to be analysed in place.

        Raises CheckpointChanged when the source changes meanwhile, OSError when our own disk cannot be written, or
        a link is in the way.
        """
        pin = Pin(self.root / candidate.name, candidate)
        refuse_links(pin.directory)
        known = self.get(candidate.name)
        if known is not None and known.candidate.files == candidate.files:
            return known
        self.release(candidate.name)
        if sum(held.size for held in self.held()) + pin.size > self.budget:
            return None
        make_directory(self.root)
        aside = Path(tempfile.mkdtemp(dir=self.root, prefix=f".{candidate.name}."))
        try:
            if not _link_all(candidate, aside):
                return None
            write_record(aside / PIN_FILE, _record(candidate), durable=False)
            aside.rename(pin.directory)
        finally:
            remove_directory(aside)
        return pin

    def get(self, name: str) -> Pin | None:
        """The pin of a checkpoint; None when there is none or it is damaged."""
        try:
            record = read_record(self.root / name / PIN_FILE, PinRecord)
        except (OSError, SchemaError):
            return None
        files = tuple(record.files)
        candidate = Candidate(
            name, record.step, record.epoch, record.source, files, record.complete_at, record.order_unverified
        )
        return Pin(self.root / name, candidate)

    def held(self) -> list[Pin]:
        """Every pin, by name."""
        try:
            names = sorted(path.name for path in self.root.iterdir() if is_plain(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [pin for name in names if (pin := self.get(name)) is not None]

    def release(self, name: str) -> None:
        """Let a checkpoint go; nothing happens when it is not pinned. Raises LinkInTheWay."""
        remove_directory(self.root / name)

    def collect(self) -> None:
        """At start: remove what a killed analyzer left half-made, and nothing else. Raises LinkInTheWay."""
        for name in list_directory(self.root):
            half = HALF_MADE.fullmatch(name)
            if half or (is_ours(name) and self.get(name) is None):
                remove_directory(self.root / name)


def is_ours(name: str) -> bool:
    """Whether a directory among the pins has a checkpoint's name."""
    return name == ROOT or place_of(name) is not None


def _record(candidate: Candidate) -> PinRecord:
    return PinRecord(
        checkpoint=candidate.name,
        step=candidate.step,
        epoch=candidate.epoch,
        source=candidate.source,
        files=list(candidate.files),
        complete_at=candidate.complete_at,
        order_unverified=candidate.order_unverified,
    )


def _link_all(candidate: Candidate, target: Path) -> bool:
    """Link or copy every file of the judge; False where links are not possible."""
    for file in candidate.files:
        source = candidate.source / file.name
        if source.is_symlink():  # a hub cache's, which nothing rotates; a link to a link would lead nowhere
            return False
        try:
            if file.name.endswith(".safetensors") or file.size >= COPY_BELOW:
                try:
                    os.link(source, target / file.name)
                except FileNotFoundError:
                    raise
                except OSError as error:
                    cause = error.strerror or str(error)
                    extra = entry("not_pinned", checkpoint=candidate.name, cause=cause, path=str(source))
                    logger.info("%s is analysed in place: %s", candidate.name, cause, extra=extra)
                    return False
            else:
                shutil.copy2(source, target / file.name)
        except FileNotFoundError:
            raise CheckpointChanged(f"{candidate.name} was deleted while it was being pinned.") from None
    if _looks(candidate.source, candidate.name) != candidate.files:
        raise CheckpointChanged(f"{candidate.name} changed while it was being pinned.")
    return True


def _looks(source: Path, checkpoint: str = "") -> Fingerprint:
    try:
        return fingerprint(source, checkpoint)
    except OSError:
        return ()


def verify(directory: Path, pinned: bool, source: Path, files: Fingerprint, checkpoint: str = "") -> None:
    """After the work: what was read is still what had passed the gate. Raises CheckpointChanged.

    `checkpoint` is its name, as `fingerprint` wants it.

    Hard links share the source's inode, so a file that was truncated or overwritten in place shows in the pin too.
    With a pin the source may have been deleted; without one everything must still be there, unchanged.
    """
    now = {file.name: file for file in _looks(source, checkpoint)}
    if any(now.get(file.name, file) != file for file in files):
        raise CheckpointChanged(f"{source.name} was overwritten while it was analysed; its result is discarded.")
    if not pinned and tuple(sorted(now.values())) != files:
        raise CheckpointChanged(f"{source.name} changed or was deleted while it was analysed; discarded.")
    if pinned and _without_inode(_looks(directory)) != _without_inode(files):
        raise CheckpointChanged(f"{source.name} was overwritten while it was analysed; its result is discarded.")


def _without_inode(files: Fingerprint) -> set[tuple[str, int, int]]:
    """Copies of small files have inodes of their own."""
    return {(file.name, file.size, file.mtime_ns) for file in files}
