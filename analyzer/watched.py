"""One watched run: which checkpoints it has, how far each one is, and what stands in the way."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from analyzer import foreign
from analyzer.description import Description
from analyzer.digest import read_digest
from analyzer.fingerprint import Fingerprint, fingerprint_digest
from analyzer.gate import Candidate, Gate, Verdict, peek_epoch
from analyzer.job import Computation, Neighbour
from analyzer.keys import drawn_keys
from analyzer.lease import Lease, LeaseRecord
from analyzer.ledger import Ledger
from analyzer.lineage import COMPARING
from analyzer.pins import PinStore
from analyzer.plan import Plan
from analyzer.schedule import Point, in_order, left_out
from analyzer.store_index import StoreIndex
from analyzer.trace import Tracer
from analyzer.validate import validate
from shared.errors import CheckpointChanged, CheckpointRejected, RunError, SchemaError
from shared.own_folders import make_directory
from shared.records import CheckpointState, CheckpointStatus
from shared.results import ResultStore
from shared.run import Run, step_of

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


@dataclass
class WatchedRun:
    """A run and everything the supervisor keeps about it. Only caches live in memory; the disk is the truth."""

    run: Run
    plan: Plan
    rows: list[Row] = field(default_factory=list)
    fault: str = ""
    """Why the last scan could not look at this run; empty when it could."""
    other: LeaseRecord | None = None
    """The analyzer that has this run, when it is not us."""
    running: str | None = None
    """Name of the checkpoint that is being analysed."""
    training_over: bool = False
    forced: set[str] = field(default_factory=set)
    """Checkpoints that were computed again (`--force`) and are done."""

    def __post_init__(self) -> None:
        self.description = Description(self.run, self.plan)
        self.gate = Gate(self.run, settle_s=self.plan.settle_s)
        self.pins = PinStore(self.run.pins, self.plan.pin_budget)
        self.ledger = Ledger(self.run.attempts)
        self.lease = Lease(self.run.lease)
        self.store = ResultStore(self.run.results)
        self.index = StoreIndex(self.store)
        self._tracer: Tracer | None = None
        self._seen: dict[str, Point] = {}
        self._digests: dict[str, tuple[Fingerprint, str]] = {}
        self._sound: dict[str, tuple[Fingerprint, str]] = {}
        self._swept = False
        self._reported: set[str] = set()

    def open(self) -> None:
        """Before the first scan: our own folder is there and writable. Raises RunError that says what to do."""
        self.run.refuse_links()
        try:
            make_directory(self.run.midwatch)
            trial = self.run.midwatch / f".writable.{os.getpid()}"
            trial.unlink(missing_ok=True)
            trial.open("xb").close()  # a link that stands there is not written through
            trial.unlink()
            self.run.remember_source()
        except OSError as error:
            raise RunError(
                f"{self.run.midwatch} cannot be written ({error.strerror}); "
                "make it writable, or choose another place with --out DIR."
            ) from error

    def scan(self, computations: Mapping[str, Computation], now: float) -> None:
        """Look at the disk and decide anew where every checkpoint stands.

        Raises OSError when we cannot write, RunError when the run cannot be listed or a link is in our way.
        `computations` are all that the worker offers; the plan says which of them are wanted.
        """
        self.run.refuse_links()
        self.other = self.lease.hold(now)
        if self.other is not None:
            self.rows, self._swept = [], False
            return
        if not self._swept:
            self.pins.collect()
            self.store.sweep()
            self._swept = True
        verdicts = self._verdicts(now)
        self._learn(verdicts, now)
        if not computations:
            return  # the worker is still starting: what it can compute is not known yet
        skipped, wanted = self._left_out(), self.plan.wanted(computations)
        known = self.description
        if known.record is not None:
            self._tracer = Tracer(self.index, computations, known.record.judge, known.probe_digest)
        rows = [self._safe_row(point, verdicts.get(point.name), wanted, skipped, now) for point in self._points()]
        self.rows = [row for row in rows if row is not None]
        self._collect_pins()

    def begin(self, name: str) -> None:
        """A checkpoint is being analysed from now on."""
        self.running = name
        self.rows = [
            replace(row, state=CheckpointState.RUNNING) if row.point.name == name else row for row in self.rows
        ]

    def queue(self) -> list[Row]:
        """What can start now, in order: what only has to be compared again comes last, and by step.

        An earlier checkpoint that is still waiting would make the comparison out of date again.
        """
        rows = {row.point.name: row for row in self.rows if row.state == CheckpointState.QUEUED and not row.cause}
        comparing = [row.point for row in rows.values() if row.missing == (COMPARING,)]
        analysing = [row.point for row in rows.values() if row.missing != (COMPARING,)]
        order = in_order(analysing, self.plan.policy) + in_order(comparing, "all")
        return [rows[point.name] for point in order]

    def neighbour(self, name: str) -> Neighbour | None:
        """Another complete checkpoint, while none but `name` has been digested."""
        others = [row.candidate for row in self.rows if row.candidate is not None and row.point.name != name]
        if not others or any(self._digest(other) is not None for other in others):
            return None
        first = min(others, key=lambda other: other.step)
        return Neighbour(checkpoint=first.name, directory=first.source, files=list(first.files))

    @property
    def queue_blocked(self) -> bool:
        """Whether something waits only for `problem` to be solved."""
        return any(row.state == CheckpointState.QUEUED and row.cause for row in self.rows)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do, as far as one can know today."""
        return all(row.state not in UNDECIDED and row.settles_at is None for row in self.rows)

    def _verdicts(self, now: float) -> dict[str, Verdict]:
        """The gate's word on every checkpoint that is there; what only a pin keeps has passed already."""
        verdicts = {name: self.gate.look(name, now) for name in self.run.checkpoints()}
        for pin in self.pins.held():
            if pin.candidate.name not in verdicts:
                verdicts[pin.candidate.name] = Verdict(pin.candidate)
        return verdicts

    def _learn(self, verdicts: Mapping[str, Verdict], now: float) -> None:
        """What is true of the whole run: which checkpoints there ever were, its record, its probe set."""
        for name in self.store.checkpoints():
            if name not in self._seen:
                self._seen[name] = Point(name, step_of(name) or 0, self._result_epoch(name))
        for name, verdict in verdicts.items():
            epoch = verdict.candidate.epoch if verdict.candidate else peek_epoch(self.run, name)
            self._seen[name] = Point(name, step_of(name) or 0, epoch)
        candidates = [verdict.candidate for verdict in verdicts.values() if verdict.candidate is not None]
        self.description.refresh(candidates, self.pins)
        newest = max((candidate.complete_at for candidate in candidates), default=now)
        self.training_over = self.plan.once or foreign.training_over(
            self.description.record, verdicts, newest, now, self.plan.quiet_s
        )

    def _result_epoch(self, name: str) -> float | None:
        """The epoch of a checkpoint of which only results are left."""
        for analysis in sorted(path.name for path in (self.run.results / name).iterdir() if path.is_dir()):
            try:
                record = self.store.newest(name, analysis)
            except (SchemaError, OSError):
                continue
            if record is not None:
                return record.epoch
        return None

    def _points(self) -> list[Point]:
        return sorted(self._seen.values(), key=lambda point: (point.step, point.name))

    def _left_out(self) -> dict[str, str]:
        points = self._points()
        if self.plan.selected is not None:
            return {point.name: "Not asked for." for point in points if point.name not in self.plan.selected}
        return left_out(points, self.plan.policy, self.plan.interval, self.training_over)

    def _safe_row(
        self,
        point: Point,
        verdict: Verdict | None,
        computations: Mapping[str, Computation],
        skipped: Mapping[str, str],
        now: float,
    ) -> Row | None:
        """`_row`, whatever a checkpoint holds: one that we cannot even judge must not stop the others."""
        try:
            return self._row(point, verdict, computations, skipped, now)
        except OSError:
            raise  # our own disk: the service pauses
        except Exception as error:
            cause = f"Midwatch failed on {point.name} ({type(error).__name__}: {error}); please report it."
            if cause not in self._reported:
                self._reported.add(cause)
                logger.exception("%s", cause)
            return Row(point, CheckpointState.REJECTED, cause=cause)

    def _row(
        self,
        point: Point,
        verdict: Verdict | None,
        computations: Mapping[str, Computation],
        skipped: Mapping[str, str],
        now: float,
    ) -> Row | None:
        """Where one checkpoint stands; None when nothing is left of it."""
        if verdict is None:
            done = tuple(name for name in computations if self.index.keys(point.name, name))
            return Row(point, CheckpointState.DONE, done=done) if done else None
        candidate = verdict.candidate
        if candidate is None:
            return Row(point, CheckpointState.INCOMPLETE, cause=verdict.cause, settles_at=verdict.settles_at)
        done, drawn = self._done(candidate, computations)
        missing = tuple(name for name in computations if name not in done)
        if point.name in skipped and point.name != self.running:
            state = CheckpointState.SKIPPED if missing else CheckpointState.DONE
            return Row(point, state, candidate, done, missing, cause=skipped[point.name] if missing else "")
        if not missing and drawn:
            return Row(point, CheckpointState.DONE, candidate, done)
        return self._unfinished(Row(point, CheckpointState.QUEUED, candidate, done, missing), computations, now)

    def _unfinished(self, row: Row, computations: Mapping[str, Computation], now: float) -> Row:
        """A complete, wanted checkpoint with something missing: may it start?"""
        candidate = row.candidate
        assert candidate is not None  # noqa: S101 (the caller's condition)
        identity = self._identity(candidate, computations)
        row = replace(row, identity=identity)
        if row.point.name == self.running:
            return replace(row, state=CheckpointState.RUNNING)
        if self.description.problem:
            return replace(row, cause=self.description.problem)
        known = self.ledger.read(candidate.name, identity)
        row = replace(row, attempts=len(known.attempts))
        if known.rejected:
            return replace(row, state=CheckpointState.REJECTED, cause=known.rejected)
        if row.missing and set(row.missing) <= known.cannot.keys():
            sentences = " ".join(f"{name}: {known.cannot[name]}" for name in row.missing)
            return replace(row, state=CheckpointState.DONE, cause=sentences)
        if known.exhausted:
            return replace(row, state=CheckpointState.QUARANTINED, cause=known.cause)
        row = self._sound_or_not(row, candidate, now)
        retry_at = known.retry_at(self.plan.backoff_s)
        if row.state == CheckpointState.QUEUED and retry_at > now:
            return replace(row, state=CheckpointState.RETRYING, cause=known.cause, retry_at=retry_at)
        return row

    def _done(self, candidate: Candidate, computations: Mapping[str, Computation]) -> tuple[tuple[str, ...], bool]:
        """Analyses with a committed result, and whether the figures show them all."""
        digest, tracer = self._digest(candidate), self._tracer
        if digest is None or tracer is None or not tracer.probe_digest:
            return (), False
        if self.plan.force and candidate.name not in self.forced:
            return (), False
        keys = tracer.keys(tracer.traced(computations, candidate.name, digest), digest)
        done = tuple(name for name, key in keys.items() if self.index.has(candidate.name, name, key))
        return done, {keys[name] for name in done} <= drawn_keys(self.run, candidate.name)

    def _digest(self, candidate: Candidate) -> str | None:
        """The content digest, where the worker has computed it for these very files."""
        cached = self._digests.get(candidate.name)
        if cached is None or cached[0] != candidate.files:
            found = read_digest(self.run.digests, candidate.name, candidate.files)
            if found is None:
                return None
            cached = self._digests[candidate.name] = (candidate.files, found.digest)
        return cached[1]

    def _sound_or_not(self, row: Row, candidate: Candidate, now: float) -> Row:
        """Pin, then validate the pin; once for the same files. Raises OSError when the pin cannot be written."""
        known = self._sound.get(candidate.name)
        if known is None or known[0] != candidate.files:
            try:
                pin = None if self.training_over else self.pins.pin(candidate)
                validate(pin.directory if pin else candidate.source, candidate.source)
                refusal = ""
            except (CheckpointChanged, FileNotFoundError):
                cause = f"{candidate.name} is changing."
                return replace(row, state=CheckpointState.INCOMPLETE, cause=cause, settles_at=now)
            except CheckpointRejected as error:
                refusal = f"{error} [{error.code}]"
            known = self._sound[candidate.name] = (candidate.files, refusal)
        return replace(row, state=CheckpointState.REJECTED, cause=known[1]) if known[1] else row

    def _identity(self, candidate: Candidate, computations: Mapping[str, Computation]) -> str:
        """What an attempt is about."""
        known = self.description
        judge = known.record.judge.model_dump(mode="json") if known.record else None
        wanted = {name: computation.model_dump(mode="json") for name, computation in computations.items()}
        parts = [fingerprint_digest(candidate.files), known.probe_digest, judge, wanted]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]

    def _collect_pins(self) -> None:
        """Let go of what is done, refused, or has changed since."""
        rows = {row.point.name: row for row in self.rows}
        for pin in self.pins.held():
            row = rows.get(pin.candidate.name)
            same = row is not None and row.candidate is not None and row.candidate.files == pin.candidate.files
            if row is None or not same or row.state not in (*UNDECIDED, CheckpointState.QUARANTINED):
                self.pins.release(pin.candidate.name)
