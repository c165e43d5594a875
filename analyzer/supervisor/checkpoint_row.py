"""Where one checkpoint stands: from the gate's word to done, waiting, refused or given up.

gate -> wanted? -> results there? -> described? -> attempts left? -> pinned and sound? -> may start
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from analyzer.checkpoints.base_model import BASE, base_digest, bases_of
from analyzer.checkpoints.digest import read_digest
from analyzer.checkpoints.file_names import ADAPTER_CONFIG
from analyzer.checkpoints.fingerprint import Fingerprint, fingerprint_digest
from analyzer.checkpoints.gate import Candidate, Verdict
from analyzer.checkpoints.pins import Pin, PinStore
from analyzer.checkpoints.soundness import MAY_END, check_serves, theirs, validate
from analyzer.jobs.keys import drawn_keys
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation
from analyzer.jobs.result_index import StoreIndex
from analyzer.supervisor.attempts import Ledger
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.run_description import Description
from analyzer.supervisor.schedule import Point
from shared.errors import CheckpointChanged, CheckpointRejected
from shared.logs import entry
from shared.records import CheckpointState, CheckpointStatus, RunRecord
from shared.run import Run

logger = logging.getLogger(__name__)


UNDECIDED = (CheckpointState.QUEUED, CheckpointState.RUNNING, CheckpointState.RETRYING)
"""States in which there is work left."""


@dataclass(frozen=True)
class Row:
    """One checkpoint at the last scan."""

    point: Point
    state: CheckpointState
    candidate: Candidate | None = None
    done: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cause: str = ""
    attempts: int = 0
    retry_at: float | None = None
    settles_at: float | None = None
    identity: str = ""
    promising: Candidate | None = None
    """What is kept already, and not believed yet."""

    def status(self) -> CheckpointStatus:
        return CheckpointStatus(
            checkpoint=self.point.name,
            step=self.point.step,
            epoch=self.point.epoch,
            state=self.state,
            done=list(self.done),
            missing=list(self.missing),
            cause=self.cause or None,
            attempts=self.attempts,
            retry_at=self.retry_at,
        )


class RunFacts(NamedTuple):
    """What is true of the whole run at one scan."""

    description: Description
    computations: Mapping[str, Computation]
    """The wanted ones, in order."""
    skipped: Mapping[str, str]
    """Checkpoints that are left out, and why."""
    search: LineageSearch | None
    """None while nothing says how a verdict is read."""
    running: frozenset[str]
    """Checkpoints that are being analysed."""
    forced: frozenset[str]
    training_over: bool
    now: float


@dataclass
class Standing:
    """Tells of each checkpoint of one run where it stands. Keeps only caches, by the checkpoint's own files."""

    run: Run
    plan: Plan
    pins: PinStore
    ledger: Ledger
    index: StoreIndex
    _digests: dict[str, tuple[Fingerprint, str, str | None]] = field(default_factory=dict)
    """Name -> the files, their content digest, and that of the base model."""
    _sound: dict[str, tuple[tuple[Fingerprint, str | None, str | None], str]] = field(default_factory=dict)
    """Name -> the files that were validated, the run's kind of judge and the base model; why they are refused."""
    _drawn: dict[str, tuple[tuple[int, int, int], frozenset[str]]] = field(default_factory=dict)
    """Name -> inode, size and mtime of the note of what is drawn, and what it says."""
    _complete: dict[str, Row] = field(default_factory=dict)
    """Name -> the row of what was found done and drawn."""
    _keys: dict[str, frozenset[str]] = field(default_factory=dict)
    """Name -> keys of its results that were found then."""
    _reported: set[str] = field(default_factory=set)
    _asked: tuple[RunFacts | None, str] = (None, "")
    """Facts of a scan, and what they add to an attempt's identity: the same for all its checkpoints."""

    def __post_init__(self) -> None:
        self._drawn_folder, self._digests_folder = str(self.run.drawn), str(self.run.digests)

    def row(self, point: Point, verdict: Verdict | None, facts: RunFacts) -> Row | None:
        """Where one checkpoint stands, whatever it holds; None when nothing is left of it.

        One that we cannot even judge must not stop the others. Raises OSError when our own disk refuses.
        """
        try:
            return self._row(point, verdict, facts)
        except OSError:
            raise  # our own disk: the supervisor pauses
        except Exception as error:
            cause = f"Midwatch failed on {point.name} ({type(error).__name__}: {error}); please report it."
            if cause not in self._reported:
                self._reported.add(cause)
                extra = entry("bug", run=self.run.name, checkpoint=point.name, cause=cause)
                logger.exception("%s", cause, extra=extra)
            return Row(point, CheckpointState.REJECTED, cause=cause)

    def _row(self, point: Point, verdict: Verdict | None, facts: RunFacts) -> Row | None:
        computations, skipped = facts.computations, facts.skipped
        if verdict is None:
            return self._results_left(point, facts)
        candidate = verdict.candidate
        if candidate is None and verdict.refused:
            return Row(point, CheckpointState.REJECTED, cause=verdict.refused)
        if candidate is None:
            waits = Row(point, CheckpointState.INCOMPLETE, cause=verdict.cause, settles_at=verdict.settles_at)
            return replace(waits, promising=verdict.promising)
        done, drawn = self._done(candidate, facts, rested=verdict.rested)
        missing = tuple(name for name in computations if name not in done)
        if point.name in skipped and point.name not in facts.running:
            state = CheckpointState.SKIPPED if missing else CheckpointState.DONE
            return Row(point, state, candidate, done, missing, cause=skipped[point.name] if missing else "")
        if not missing and drawn:
            return self._complete_row(point, candidate, done)
        return self._unfinished(Row(point, CheckpointState.QUEUED, candidate, done, missing), facts)

    def _complete_row(self, point: Point, candidate: Candidate, done: tuple[str, ...]) -> Row:
        """The row that the last look made, where it says the same: who compares rows is done sooner."""
        known = self._complete.get(point.name)
        if known is None or (known.point, known.candidate, known.done) != (point, candidate, done):
            known = self._complete[point.name] = Row(point, CheckpointState.DONE, candidate, done)
        return known

    def _results_left(self, point: Point, facts: RunFacts) -> Row | None:
        """A checkpoint that is deleted: done, and what is missing of it is said; None without any result."""
        done = tuple(name for name in facts.computations if self.index.keys(point.name, name))
        missing = tuple(name for name in facts.computations if name not in done)
        cause = f"{point.name} was deleted before {', '.join(missing)} could be computed." if missing else ""
        return Row(point, CheckpointState.DONE, done=done, missing=missing, cause=cause) if done else None

    def _unfinished(self, row: Row, facts: RunFacts) -> Row:
        """A complete, wanted checkpoint with something missing: may it start?"""
        candidate = row.candidate
        assert candidate is not None  # noqa: S101 (the caller's condition)
        identity = self._identity(candidate, facts)
        row = replace(row, identity=identity)
        if row.point.name in facts.running:
            return replace(row, state=CheckpointState.RUNNING)
        if facts.description.problem:
            return replace(row, cause=facts.description.problem)
        known = self.ledger.read(candidate.name, identity)
        row = replace(row, attempts=known.tries)
        if known.rejected:
            return replace(row, state=CheckpointState.REJECTED, cause=known.rejected)
        if row.missing and set(row.missing) <= known.cannot.keys():
            sentences = " ".join(f"{name}: {known.cannot[name]}" for name in row.missing)
            return replace(row, state=CheckpointState.DONE, cause=sentences)
        if known.exhausted:
            return replace(row, state=CheckpointState.QUARANTINED, cause=known.cause)
        row = self._sound_or_not(row, candidate, facts)
        retry_at = known.retry_at(self.plan.backoff_s) if known.last_at <= facts.now else 0.0  # a clock set back
        if row.state == CheckpointState.QUEUED and retry_at > facts.now:
            return replace(row, state=CheckpointState.RETRYING, cause=known.cause, retry_at=retry_at)
        return row

    def _done(self, candidate: Candidate, facts: RunFacts, *, rested: bool) -> tuple[tuple[str, ...], bool]:
        """Analyses with a committed result, and whether the figures show them all.

        Of one whose turn to be looked at has not come (`rested`), what was found there before is believed.
        """
        digest, search = self.digest(candidate, facts.description.record), facts.search
        if digest is None or search is None or not search.probe_digest:
            return (), False
        if self.plan.force and candidate.name not in facts.forced and candidate.name not in facts.skipped:
            return (), False
        keys = search.keys(search.traced(facts.computations, candidate.name, digest), digest)
        if rested and self._keys.get(candidate.name, frozenset()).issuperset(keys.values()):
            return tuple(keys), True
        done = tuple(name for name, key in keys.items() if self.index.has(candidate.name, name, key))
        found = frozenset(keys[name] for name in done)
        drawn = found <= self._drawn_keys(candidate.name)
        self._keys[candidate.name] = found if drawn else frozenset()
        return done, drawn

    def _drawn_keys(self, checkpoint: str) -> frozenset[str]:
        """`drawn_keys`, read again only where the file is another one: each is replaced as a whole."""
        try:
            info = os.stat(f"{self._drawn_folder}/{checkpoint}.json", follow_symlinks=False)  # noqa: PTH116 (thousands of times a look: Path costs 3x)
        except OSError:
            self._drawn.pop(checkpoint, None)
            return frozenset()
        stamp = info.st_ino, info.st_size, info.st_mtime_ns
        known = self._drawn.get(checkpoint)
        if known is None or known[0] != stamp:
            known = self._drawn[checkpoint] = (stamp, frozenset(drawn_keys(self.run, checkpoint)))
        return known[1]

    def digest(self, candidate: Candidate, record: RunRecord | None) -> str | None:
        """The content digest, where the worker has computed it for these very files over this base model."""
        cached = self._digests.get(candidate.name)
        if cached is not None and cached[0] == candidate.files and cached[2] is None:
            return cached[1]  # a whole model has no base that could have changed
        base = self._base(candidate, record)
        if cached is None or cached[0] != candidate.files or base not in (None, cached[2]):
            if not os.path.exists(f"{self._digests_folder}/{candidate.name}.json"):  # noqa: PTH110 (see _drawn_keys)
                return None
            found = read_digest(self.run.digests, candidate.name, candidate.files, base)
            if found is None:
                return None
            cached = self._digests[candidate.name] = (candidate.files, found.digest, found.others.get(BASE))
        return cached[1]

    def _base(self, candidate: Candidate, record: RunRecord | None) -> str | None:
        """Digest of an adapter's base model as it is now; None of a whole model, and where it cannot be told."""
        try:
            if not any(file.name == ADAPTER_CONFIG for file in candidate.files):  # without a look at the disk
                return None
            return base_digest(bases_of(self.run, record).of(candidate.source))
        except (CheckpointRejected, OSError):
            return None  # what was computed over it before stands

    def _identity(self, candidate: Candidate, facts: RunFacts) -> str:
        """What an attempt is about."""
        if self._asked[0] is not facts:
            self._asked = (facts, _asked(facts))
        base = self._base(candidate, facts.description.record)
        ends = self._asked[1] if base is None else f"{self._asked[1]}, {json.dumps(base)}"
        text = f"[{json.dumps(fingerprint_digest(candidate.files))}, {ends}]"
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def _sound_or_not(self, row: Row, candidate: Candidate, facts: RunFacts) -> Row:
        """Pin, then validate the pin; once for the same files. Raises OSError when the pin cannot be written."""
        known = self._sound.get(candidate.name)
        record = facts.description.record
        looked_at = (candidate.files, record and record.judge.kind, self._base(candidate, record))
        if known is None or known[0] != looked_at:
            try:
                pin = self._pin(candidate, facts)
                with theirs(candidate.name):
                    place = pin.directory if pin else candidate.source
                    validate(place, candidate.source, bases_of(self.run, record))
                    if record is not None:
                        check_serves(place, record.judge.kind, candidate.source)
                refusal = ""
            except (CheckpointChanged, FileNotFoundError):
                cause = f"{candidate.name} is changing."
                return replace(row, state=CheckpointState.INCOMPLETE, cause=cause, settles_at=facts.now)
            except CheckpointRejected as error:
                refusal = f"{error} [{error.code}]"
                if error.code in MAY_END:
                    return replace(row, state=CheckpointState.REJECTED, cause=refusal)
            known = self._sound[candidate.name] = (looked_at, refusal)
        return replace(row, state=CheckpointState.REJECTED, cause=known[1]) if known[1] else row

    def _pin(self, candidate: Candidate, facts: RunFacts) -> Pin | None:
        """Its pin; once the training is over none is made, but what it deleted last is still kept by one."""
        if facts.training_over and self.pins.find(candidate) is None:
            return None
        return self.pins.pin(candidate)


def _asked(facts: RunFacts) -> str:
    """What an attempt's identity holds of the run and of what is asked: the inner part of a list as JSON."""
    known = facts.description
    judge = known.record.judge.for_key() if known.record else None
    wanted = {name: each.model_dump(mode="json", exclude={"family"}) for name, each in facts.computations.items()}
    parts = [known.probe_digest, judge, wanted]
    if known.family is not None:
        parts.append(known.family.digest)
    return json.dumps(parts, sort_keys=True)[1:-1]
