"""Pins: hard links that keep a checkpoint alive while it waits and is analysed, whatever the trainer deletes.

Weights are linked, which costs nothing until the trainer deletes them; small files are copied. A pin is made aside
and renamed, so it is whole or absent. Where links are impossible (another filesystem, no permission) or the byte
budget is spent there is no pin: the checkpoint is analysed in place and verified afterwards.

Each file is compared with what passed the gate while it is taken, so a training that deletes the directory
meanwhile spoils nothing that was taken already. A pin of what has not settled yet says since when it is kept: it is
believed once it looks the same a settle time later, because a link shows what is still written into the file.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from analyzer.checkpoints.fingerprint import FileStat, Fingerprint, fingerprint, may_be_the_judges
from analyzer.checkpoints.gate import Candidate
from shared.checkpoint_names import ROOT, is_plain, place_of
from shared.errors import CheckpointChanged, SchemaError
from shared.files import read_record, write_record
from shared.logs import entry
from shared.own_folders import list_directory, make_directory, refuse_links, remove_directory, take_away
from shared.records import Frozen
from shared.run import is_text

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
    unsettled_since: float | None = None
    """Unix time since which it looks like this, where that is not long enough to believe it; None once it is."""


@dataclass(frozen=True)
class Pin:
    """One pinned checkpoint."""

    directory: Path
    candidate: Candidate
    unsettled_since: float | None = None
    """See `PinRecord`."""

    @property
    def size(self) -> int:
        """Bytes held when the trainer deletes the source."""
        return sum(file.size for file in self.candidate.files)

    @property
    def intact(self) -> bool:
        """Whether it still looks as when it was made: a link shows what is written into the source's file."""
        return _without_inode(_looks(self.directory)) == _without_inode(self.candidate.files)


@dataclass(frozen=True)
class PinStore:
    """All pins of one run, under `_midwatch/pins/`."""

    root: Path
    budget: int | None
    """Bytes that pins may hold; None for half of what would be free on their disk without them."""
    why_not: dict[str, str] = field(default_factory=dict, compare=False)
    """Checkpoint -> why it could not be pinned when that was tried last, as the end of a sentence."""
    _read: dict[str, tuple[FileStat, Pin | None]] = field(default_factory=dict, compare=False, repr=False)
    """Checkpoint -> the file of its pin as it was read last, and what it says: each is replaced as a whole."""

    def pin(self, candidate: Candidate, unsettled_since: float | None = None) -> Pin | None:
        """Pin a checkpoint; None when it has to be analysed in place (`why_not` says why).

        `unsettled_since` (Unix time) is for one that has not settled; without it the pin is believed from now on.
        Raises CheckpointChanged when the source changes meanwhile, OSError when our own disk cannot be written, or
        a link is in the way.
        """
        pin = Pin(self.root / candidate.name, candidate, unsettled_since)
        refuse_links(pin.directory)
        known = self.find(candidate)
        if known is not None:
            return known if unsettled_since is not None else self.settle(known)
        self.release(candidate.name)
        self.why_not.pop(candidate.name, None)
        make_directory(self.root)
        held = sum(each.size for each in self.held())
        budget = self.budget
        if budget is None:  # what is or would be pinned is on that disk already, and so missing from what is free
            budget = (shutil.disk_usage(self.root).free + held + pin.size) // 2
        if held + pin.size > budget:
            spent = f"the {budget / 2**30:.3g} GiB of --pin-budget were spent"
            half = f"pins of {(held + pin.size) / 2**30:.3g} GiB may fill its disk; --pin-budget allows more"
            self.why_not[candidate.name] = half if self.budget is None else spent
            return None
        aside = Path(tempfile.mkdtemp(dir=self.root, prefix=f".{candidate.name}."))
        try:
            if refusal := _take_all(candidate, aside):
                self.why_not[candidate.name] = refusal
                return None
            write_record(aside / PIN_FILE, _record(pin), durable=False)
            aside.rename(pin.directory)
        finally:
            remove_directory(aside)
        return pin

    def settle(self, pin: Pin) -> Pin:
        """The pin, believed from now on. Raises OSError when our own disk cannot be written."""
        if pin.unsettled_since is None:
            return pin
        settled = replace(pin, unsettled_since=None)
        write_record(pin.directory / PIN_FILE, _record(settled), durable=False)
        return settled

    def unsettle(self, pin: Pin, since: float) -> Pin:
        """The pin, to be believed a settle time after `since`. Raises OSError when our own disk refuses."""
        unsettled = replace(pin, unsettled_since=since)
        write_record(pin.directory / PIN_FILE, _record(unsettled), durable=False)
        return unsettled

    def find(self, candidate: Candidate) -> Pin | None:
        """The pin of these very files; None when there is none."""
        known = self.get(candidate.name)
        return known if known is not None and known.candidate.files == candidate.files else None

    def get(self, name: str) -> Pin | None:
        """The pin of a checkpoint; None when there is none or it is damaged."""
        try:
            stamp = _stat_of(os.lstat(f"{self.root}/{name}/{PIN_FILE}"), name)
        except OSError:
            self._read.pop(name, None)
            return None
        known = self._read.get(name)
        if known is None or known[0] != stamp:
            known = self._read[name] = (stamp, self._parsed(name))
        return known[1]

    def _parsed(self, name: str) -> Pin | None:
        try:
            record = read_record(self.root / name / PIN_FILE, PinRecord)
        except (OSError, SchemaError):
            return None
        if not _is_of(record, name):
            return None
        files = tuple(record.files)
        candidate = Candidate(
            name, record.step, record.epoch, record.source, files, record.complete_at, record.order_unverified
        )
        return Pin(self.root / name, candidate, record.unsettled_since)

    def held(self) -> list[Pin]:
        """Every pin, by name."""
        try:
            names = sorted(path.name for path in self.root.iterdir() if is_plain(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [pin for name in names if (pin := self.get(name)) is not None]

    def release(self, name: str) -> None:
        """Let a checkpoint go; nothing happens when it is not pinned. Raises LinkInTheWay."""
        take_away(self.root / name)

    def collect(self) -> None:
        """At start: remove what a killed analyzer left half-made, and nothing else. Raises LinkInTheWay."""
        self.collect_aside()
        for name in list_directory(self.root):
            if is_ours(name) and self.get(name) is None:
                take_away(self.root / name)

    def collect_aside(self) -> None:
        """Remove what lies half-made or half-removed: by a kill, or since the disk refused it the last time.

        Raises LinkInTheWay.
        """
        for name in list_directory(self.root):
            if HALF_MADE.fullmatch(name):
                remove_directory(self.root / name)


def _is_of(record: PinRecord, name: str) -> bool:
    """Whether a record can be of the checkpoint called `name`, and leads nowhere else."""
    named = record.checkpoint == name and (name == ROOT or record.source.name == name)
    return named and is_text(record.source) and all(may_be_the_judges(file.name) for file in record.files)


def is_ours(name: str) -> bool:
    """Whether a directory among the pins has a checkpoint's name."""
    return name == ROOT or place_of(name) is not None


def _record(pin: Pin) -> PinRecord:
    candidate = pin.candidate
    return PinRecord(
        checkpoint=candidate.name,
        step=candidate.step,
        epoch=candidate.epoch,
        source=candidate.source,
        files=list(candidate.files),
        complete_at=candidate.complete_at,
        order_unverified=candidate.order_unverified,
        unsettled_since=pin.unsettled_since,
    )


def _take_all(candidate: Candidate, target: Path) -> str:
    """Link or copy every file of the judge, what is linked first; why links are not possible, or nothing.

    Raises CheckpointChanged unless every file is the one that passed the gate.
    """
    linked = [file for file in candidate.files if file.name.endswith(".safetensors") or file.size >= COPY_BELOW]
    try:
        for file in linked:
            if refusal := _link(candidate, file, target):
                return refusal
        for file in candidate.files:
            if file not in linked and (refusal := _copy(candidate, file, target)):
                return refusal
    except FileNotFoundError:
        raise CheckpointChanged(f"{candidate.name} was deleted while it was being pinned.") from None
    left = set(_looks(candidate.source, candidate.name))  # what is deleted by now was taken before
    if not left <= set(candidate.files):
        raise _changed(candidate)
    return ""


def _link(candidate: Candidate, file: FileStat, target: Path) -> str:
    """Link one file; why that is not possible, or nothing. Raises FileNotFoundError and CheckpointChanged."""
    source = candidate.source / file.name
    if source.is_symlink():  # a hub cache's, which nothing rotates; a link to a link would lead nowhere
        return "its files are links"
    try:
        os.link(source, target / file.name)
    except FileNotFoundError:
        raise
    except OSError as error:
        cause = error.strerror or str(error)
        extra = entry("not_pinned", checkpoint=candidate.name, cause=cause, path=str(source))
        logger.info("%s is analysed in place: %s", candidate.name, cause, extra=extra)
        return f"hard links are not possible here ({cause})"
    if _stat_of(os.lstat(target / file.name), file.name) != file:
        raise _changed(candidate)
    return ""


def _copy(candidate: Candidate, file: FileStat, target: Path) -> str:
    """Copy one small file with its mtime, from one open descriptor; why that is not possible, or nothing.

    Raises FileNotFoundError and CheckpointChanged, and OSError when our own disk refuses.
    """
    try:
        descriptor = _open(candidate.source / file.name)
    except FileNotFoundError:
        raise
    except OSError as error:
        return f"its {file.name} cannot be read ({error.strerror or error})"
    with os.fdopen(descriptor, "rb") as source:
        before = _stat_of(os.fstat(source.fileno()), file.name)
        try:
            data = source.read(file.size + 1)
        except OSError as error:  # its disk, not ours
            return f"its {file.name} cannot be read ({error.strerror or error})"
        after = _stat_of(os.fstat(source.fileno()), file.name)
    if not before == after == file or len(data) != file.size:
        raise _changed(candidate)
    with (target / file.name).open("xb") as copy:
        copy.write(data)
    os.utime(target / file.name, ns=(file.mtime_ns, file.mtime_ns))
    return ""


def _open(path: Path) -> int:
    """Open without following a link that took the file's place, and without waiting for a pipe's other end."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _stat_of(info: os.stat_result, name: str) -> FileStat:
    return FileStat(name, info.st_ino, info.st_size, info.st_mtime_ns)


def _changed(candidate: Candidate) -> CheckpointChanged:
    return CheckpointChanged(f"{candidate.name} changed while it was being pinned.")


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
