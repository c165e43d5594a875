"""Is a checkpoint complete? Hugging Face's Trainer writes in place and says nothing when it is done.

A checkpoint passes with the trainer's commit file at once. Without one: `trainer_state.json`, which Trainer writes
last, parses, belongs to this step and is not older than the files before it; and two looks at least `SETTLE_S`
apart see the same files. What only lacks the second look is `promising`: it is pinned at once, and where its
training deletes it meanwhile, the second look is at the pin. What shows signs of a deletion is not. A copied run,
whose mtimes lost their order, and weights of a trainer that writes no such file pass after `QUIET_S` of quiet,
marked `order_unverified`. Where the user names a file that the trainer writes last (`--ready-marker`), a checkpoint
passes when that is not older than its weights, and not before. Whether the files are sound is asked after pinning
(`analyzer.checkpoints.soundness`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from analyzer.checkpoints.file_names import INCOMPLETE_MARK, TRAINER_STATE
from analyzer.checkpoints.fingerprint import (
    FileStat,
    Fingerprint,
    fingerprint,
    may_be_the_judges,
    newest_mtime,
    nothing_was_deleted,
)
from analyzer.checkpoints.hub_cache import refused_link
from analyzer.checkpoints.placing import epoch_in, place
from analyzer.checkpoints.ready_marker import marker_problem
from analyzer.checkpoints.soundness import is_unreadable_form, weights_of
from analyzer.checkpoints.trainer_state import number, read_trainer_state, trainer_state
from shared.checkpoint_names import ROOT, step_of
from shared.errors import SchemaError
from shared.files import read_record
from shared.logs import entry
from shared.records import CommitRecord
from shared.run import Run

logger = logging.getLogger(__name__)

PICKLE = "{} is a pickle, which can run code when opened and is refused; save it as safetensors. [pickle]"
SETTLE_S = 2.0
"""Seconds between two equal looks at a checkpoint that nobody announced."""
QUIET_S = 120.0
"""Seconds without a change after which a checkpoint without mtime order is taken as complete."""


AT_ONCE = 1000
"""Checkpoints that passed and are looked at again by one look at a run; of fewer, all are."""


@dataclass(frozen=True)
class Candidate:
    """A complete checkpoint, as it looked when it passed."""

    name: str
    step: int
    epoch: float | None
    source: Path
    """The trainer's directory; it may be gone while a pin keeps the files."""
    files: Fingerprint
    complete_at: float
    """Unix time at which it was complete: when it was announced, or its newest file's mtime, seconds."""
    order_unverified: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the gate says. Exactly one of `candidate`, `cause` and `refused` is set."""

    candidate: Candidate | None = None
    promising: Candidate | None = None
    """What will pass if it stays as it is for the settle time: worth keeping already, not to be believed yet."""
    cause: str = ""
    """Why it does not pass, as one sentence."""
    settles_at: float | None = None
    """Unix time at which mere quiet can make it pass; None when the trainer has to write something first."""
    refused: str = ""
    """Why it never passes as it is, as one sentence and a code."""
    rested: bool = False
    """Whether this is what an earlier look found, as its turn has not come."""


@dataclass
class Gate:
    """Remembers, for one run, since when each checkpoint looks the way it does."""

    run: Run
    settle_s: float = SETTLE_S
    quiet_s: float = QUIET_S
    marker: str = ""
    """Name of a file that this run's trainer writes last into each checkpoint; empty where nobody named one."""
    _since: dict[str, tuple[Fingerprint, float]] = field(default_factory=dict)
    _whole: dict[str, Fingerprint] = field(default_factory=dict)
    """What each held when it held most: one that has lost files since may be in the middle of its deletion."""
    _passed: dict[str, tuple[Fingerprint, FileStat | None, Candidate]] = field(default_factory=dict)
    _looks: int = 0
    """How often all were looked at."""

    def __post_init__(self) -> None:
        self._commits = str(self.run.commits)

    def look_at_all(self, names: Sequence[str], now: float) -> dict[str, Verdict]:
        """Judge all checkpoints of the run.

        Of very many, those that passed are looked at in turns, `AT_ONCE` of them each time: a look at the run stays
        short, and what was overwritten meanwhile is noticed some looks later, and by whoever pins or reads it.
        """
        parts, self._looks = max(1, -(-len(names) // AT_ONCE)), self._looks + 1
        turn = self._looks % parts
        resting = self._passed if parts > 1 else {}
        return {
            name: Verdict(resting[name][2], rested=True)
            if name in resting and crc32(name.encode()) % parts != turn
            else self.look(name, now)
            for name in names
        }

    def look(self, name: str, now: float) -> Verdict:
        """Judge one checkpoint directory as it is now. Never raises for anything found on disk."""
        source = self.run.directory_of(name)
        try:
            files = fingerprint(source, name)
            commit_stat = _stat(self._commits, f"{name}.json")
            self._lost(name, files)
            known = self._passed.get(name)
            if known and known[:2] == (files, commit_stat):
                return Verdict(known[2])
            verdict = self._judge(name, source, files, commit_stat, now)
        except OSError as error:
            if isinstance(error, NotADirectoryError) and source.is_file():
                return Verdict(refused=PICKLE.format(name))
            return Verdict(cause=f"{name} cannot be read ({error.strerror or error}).")
        if verdict.candidate is not None:
            self._passed[name] = (files, commit_stat, verdict.candidate)
        return verdict

    def clock_was_set(self, by: float) -> None:
        """Whoever has to look the same for a while goes on with that."""
        self._since = {name: (files, at + by) for name, (files, at) in self._since.items()}

    def _judge(
        self, name: str, source: Path, files: Fingerprint, commit_stat: FileStat | None, now: float
    ) -> Verdict:
        if link := refused_link(source, files, in_cache=name == ROOT):
            return Verdict(refused=f"{source.name}/{link} is a symbolic link; put the file itself there. [link]")
        note = ""
        if commit_stat is not None:
            verdict = self._announced(source, files)
            if verdict.candidate is not None:
                return verdict
            note = verdict.cause + " "
        verdict = self._unannounced(name, source, files, now)
        return verdict if verdict.candidate else replace(verdict, cause=note + verdict.cause)

    def _announced(self, source: Path, files: Fingerprint) -> Verdict:
        """Pass at once when the commit file describes what lies there."""
        name = source.name
        try:
            commit = read_record(self.run.commits / f"{name}.json", CommitRecord)
        except (SchemaError, FileNotFoundError):
            return Verdict(cause=f"The commit file of {name} cannot be read.")
        if commit.checkpoint != name or commit.step != step_of(name):
            return Verdict(cause=f"The commit file of {name} is about another checkpoint.")
        seen = {file.name: (file.size, file.mtime_ns) for file in files}
        told = {file.name: (file.size, file.mtime_ns) for file in commit.files if may_be_the_judges(file.name)}
        names = seen.keys() | told.keys()
        if changed := sorted(n for n in names if seen.get(n) != told.get(n)):
            return Verdict(cause=f"{name} changed after it was announced ({changed[0]}).")
        epoch = number(commit.epoch) if commit.epoch is not None else _epoch(source)
        at = number(commit.written_at) or newest_mtime(files)
        return Verdict(Candidate(name, commit.step, epoch, source, files, at))

    def _unannounced(self, name: str, source: Path, files: Fingerprint, now: float) -> Verdict:
        """The rules for runs of plain transformers, and of any other loop."""
        if (source / INCOMPLETE_MARK).exists():
            return Verdict(cause=f"{source.name} is marked incomplete by its trainer ({INCOMPLETE_MARK}).")
        if self.marker:
            return self._marked(name, source, files)
        try:
            state = read_trainer_state(source)
        except FileNotFoundError:
            if not weights_of(files) and not is_unreadable_form(source):
                cause = f"{source.name} has no weights: it is still being written, or its training was killed."
                return Verdict(cause=cause)
            state = None
        except SchemaError:
            return Verdict(cause=f"{source.name}/{TRAINER_STATE} is not readable yet.", settles_at=None)
        step = step_of(name)
        if state is not None and step is not None and (found := state.get("global_step")) != step:
            return Verdict(cause=f"{source.name}/{TRAINER_STATE} is about step {found}; save the checkpoint again.")
        return self._settled(name, source, files, state, now)

    def _settled(
        self, name: str, source: Path, files: Fingerprint, state: dict[str, Any] | None, now: float
    ) -> Verdict:
        """Quiet for long enough; `state` is None where there is no trainer_state.json."""
        since = self._unchanged_since(name, files, now)
        newest = newest_mtime(files)
        ordered, lost = _state_is_last(files), self._lost(name, files)
        if lost:
            ready_at = since + self.quiet_s
        elif ordered:
            ready_at = since + self.settle_s
        else:
            # an mtime in the future says nothing about quiet: then only what we saw ourselves counts
            ready_at = max(min(newest, since) + self.quiet_s, since + self.settle_s)
        step, epoch = place(self.run, name, files, state or {})
        found = Candidate(name, step, epoch, source, files, newest, not ordered)
        if now >= ready_at:
            self._say_unverified(found, state)
            return Verdict(found)
        if ordered and not lost:
            whole = nothing_was_deleted(source)
            cause = settling(source.name, self.settle_s)
            return Verdict(promising=found if whole else None, cause=cause, settles_at=ready_at)
        why = f"has lost {lost} (is it being deleted?)" if lost else f"has {_unproven(state)}"
        return Verdict(cause=f"{source.name} {why} and is given {self.quiet_s:g} s of quiet.", settles_at=ready_at)

    def _say_unverified(self, found: Candidate, state: dict[str, Any] | None) -> None:
        if found.order_unverified:
            cause = f"It has {_unproven(state)}: taken as complete after {self.quiet_s:g} s of quiet"
            extra = entry("unverified", run=self.run.name, checkpoint=found.name, cause=cause)
            logger.info("%s/%s: %s, and marked so", self.run.name, found.source.name, cause, extra=extra)

    def _marked(self, name: str, source: Path, files: Fingerprint) -> Verdict:
        """The rule where the user has named a file that is written last."""
        if problem := marker_problem(source, self.marker, weights_of(files)):
            return Verdict(cause=problem)
        step, epoch = place(self.run, name, files, trainer_state(source))
        return Verdict(Candidate(name, step, epoch, source, files, newest_mtime(files)))

    def _lost(self, name: str, files: Fingerprint) -> str:
        """A file that was there and is not any more, while all others are what they were; empty for none."""
        whole = self._whole.get(name, ())
        if set(files) < set(whole):
            return min(set(whole) - set(files)).name
        self._whole[name] = files
        return ""

    def _unchanged_since(self, name: str, files: Fingerprint, now: float) -> float:
        known = self._since.get(name)
        if known is None or known[0] != files:
            known = self._since[name] = (files, now)
        return known[1]


def _unproven(state: dict[str, Any] | None) -> str:
    """Why the order of its files does not prove that a checkpoint is complete."""
    return f"no {TRAINER_STATE}" if state is None else f"files newer than its {TRAINER_STATE} (a copy?)"


def settling(name: str, settle_s: float) -> str:
    """Why a checkpoint that looks complete is not believed yet."""
    return f"{name} is given {settle_s:g} s to settle."


def peek_epoch(run: Run, name: str) -> float | None:
    """The epoch of a checkpoint, complete or not, as far as anything says it."""
    try:
        commit = read_record(run.commits / f"{name}.json", CommitRecord)
    except (OSError, SchemaError):
        found = _epoch(run.directory_of(name))
        return found if found is not None else epoch_in(name, run.pattern)
    return number(commit.epoch) if commit.epoch is not None else _epoch(run.directory_of(name))


def _state_is_last(files: Fingerprint) -> bool:
    """Whether trainer_state.json is not older than anything else of the judge."""
    state = next((file.mtime_ns for file in files if file.name == TRAINER_STATE), 0)
    return all(file.mtime_ns <= state for file in files)


def _stat(folder: str, name: str) -> FileStat | None:
    try:
        info = os.stat(f"{folder}/{name}")  # noqa: PTH116 (a thousand times a look: Path costs 3x)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileStat(name, info.st_ino, info.st_size, info.st_mtime_ns)


def _epoch(source: Path) -> float | None:
    """The epoch in trainer_state.json, where there is one."""
    return number(trainer_state(source).get("epoch"))
