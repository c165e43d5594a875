"""One watched run: which checkpoints it has, how far each one is, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from analyzer.checkpoints.gate import Gate, Verdict, peek_epoch
from analyzer.checkpoints.pins import PinStore
from analyzer.jobs.keys import under
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation, Neighbour
from analyzer.jobs.result_index import StoreIndex
from analyzer.supervisor.attempts import Ledger
from analyzer.supervisor.checkpoint_row import UNDECIDED, Row, RunFacts, Standing
from analyzer.supervisor.disk_pause import Pause
from analyzer.supervisor.keeper import Keeper
from analyzer.supervisor.lease import Lease, LeaseRecord
from analyzer.supervisor.litter import OLD_S, remove_litter
from analyzer.supervisor.own_place import open_own_place
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.requests import Desk
from analyzer.supervisor.run_description import Description, training_over
from analyzer.supervisor.schedule import Point, left_out
from analyzer.supervisor.vanished import Vanished
from shared.answers import answer_store
from shared.checkpoint_places import step_at
from shared.errors import SchemaError
from shared.records import CheckpointState
from shared.results import ResultStore
from shared.run import Run
from shared.turns import COMPARING, turn

OPEN_AT_ONCE = 4
"""Checkpoints whose own directories are watched at most, the newest of those that are still being written."""


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
    running: dict[str, str] = field(default_factory=dict)
    """Checkpoints that are being analysed, by the id of the job."""
    comparing: set[str] = field(default_factory=set)
    """Those of these jobs that only compare again."""
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What is being answered, by the id of the job: id of the request, and the checkpoint."""
    training_over: bool = False
    forced: set[str] = field(default_factory=set)
    """Checkpoints that were computed again (`--force`) and are done."""
    dirty: bool = False
    """Whether something happened in it since it was looked at."""
    looked_at: float = float("-inf")
    """Unix time of the last look."""
    look_s: float = 0.0
    """Seconds of computing that it took."""
    pause: Pause = field(default_factory=Pause)
    """Whether our own disk, where this run's results go, is given time."""
    heard: set[str] = field(default_factory=set)
    """Checkpoints whose directory an event told of, though no scan may have seen it."""

    def __post_init__(self) -> None:
        self.description = Description(self.run, self.plan)
        self.gate = Gate(self.run, settle_s=self.plan.settle_s, marker=self.plan.ready_marker)
        self.pins = PinStore(self.run.pins, self.plan.pin_budget)
        self.ledger = Ledger(self.run.attempts)
        self.lease = Lease(self.run.lease, hurried=self.plan.once)
        self.store = ResultStore(self.run.results)
        self.index = StoreIndex(self.store)
        self.standing = Standing(self.run, self.plan, self.pins, self.ledger, self.index)
        self._search: LineageSearch | None = None
        self._seen: dict[str, Point] = {}
        self._open: list[str] = []
        self._swept = self._tidied = False
        self._litter_at = 0.0
        """Unix time from which on what killed writers left is looked for again."""
        self.desk = Desk(self.run)
        self.vanished = Vanished(self.run, self.pins)
        self.keeper = Keeper(self.plan, self.pins, self.gate)

    def open(self) -> None:
        """Before the first scan: our own folder is there and writable. Raises RunError that says what to do."""
        open_own_place(self.run)

    def scan(self, computations: Mapping[str, Computation], now: float) -> None:
        """Look at the disk and decide anew where every checkpoint stands.

        Raises OSError when we cannot write, RunError when the run cannot be listed or a link is in our way.
        `computations` are all that the worker offers; the plan says which of them are wanted.
        """
        self.run.refuse_links()
        self.other = self.lease.hold(now)
        if self.other is not None:
            self._hand_over()
            return
        if not self._swept:
            self.pins.collect()
            self.store.sweep()
            answer_store(self.run).sweep()
            self.desk.collect(now)
            self._swept = True
        if now >= self._litter_at:
            remove_litter(self.run, now)
            self._litter_at = now + OLD_S
        self.desk.take_in(now)
        verdicts = self._verdicts(now)
        self._learn(verdicts, now)
        skipped = self._left_out()
        self._note_lost(verdicts, skipped, now)
        if not computations:
            return  # the worker is still starting: what it can compute is not known yet
        known = self.description
        computations = under(known.family, computations)
        wanted = self.plan.wanted(computations)
        if known.record is not None:
            self._search = LineageSearch(self.index, computations, known.record.judge, known.probe_digest)
        facts = RunFacts(
            description=self.description,
            computations=wanted,
            skipped=skipped,
            search=self._search,
            running=frozenset(self.running.values()),
            forced=frozenset(self.forced),
            training_over=self.training_over,
            now=now,
        )
        rows = [
            self._gone(point) or self.standing.row(point, verdicts.get(point.name), facts)
            for point in self._points()
        ]
        self.rows = [row for row in rows if row is not None]
        if not self._tidied:
            self.ledger.settle(frozenset(row.point.name for row in self.rows if row.state == CheckpointState.DONE))
            self._tidied = True
        if self.lease.is_ours:  # who was stopped since this scan began lets go of nothing that another one needs
            self.keeper.collect(self.rows)

    def lost_lease(self, now: float) -> bool:
        """Renew the lease when it is time; whether another analyzer has taken it. Raises OSError."""
        if self.other is not None or not self._swept:
            return False  # the next scan sees to it
        self.other = self.lease.hold(now)
        if self.other is not None:
            self._hand_over()
        return self.other is not None

    def _hand_over(self) -> None:
        """All of it is another analyzer's now."""
        self.rows, self._swept, self._tidied = [], False, False
        self.desk.open.clear()

    def holds(self, path: Path) -> bool:
        """Whether a place lies in this run, or is it."""
        return any(path == place or place in path.parents for place in (self.run.path, self.run.out))

    @property
    def next_at(self) -> float:
        """Unix time of the next moment that a row names: something settles, or may be tried again."""
        times = [time for row in self.rows for time in (row.settles_at, row.retry_at) if time is not None]
        return min((time for time in times if time > self.looked_at), default=float("inf"))

    def watched_places(self) -> list[Path]:
        """Directories whose events matter: the run, its commit files, and its newest unfinished checkpoints."""
        return [
            self.run.path,
            self.run.commits,
            self.run.requests,
            *(self.run.directory_of(name) for name in self._open[-OPEN_AT_ONCE:]),
        ]

    def clock_was_set(self, by: float) -> None:
        """Waits go on as if nobody had set the clock `by` seconds."""
        self.looked_at += by
        self.gate.clock_was_set(by)
        self.pause.clock_was_set(by)
        self.desk.clock_was_set(by)
        self.keeper.clock_was_set(by)

    def begin(self, job_id: str, name: str) -> None:
        """A checkpoint is being analysed from now on."""
        self.running[job_id] = name
        if any(row.point.name == name and [*row.missing] == [COMPARING] for row in self.rows):
            self.comparing.add(job_id)
        self.rows = [
            replace(row, state=CheckpointState.RUNNING) if row.point.name == name else row for row in self.rows
        ]

    def end(self, job_id: str) -> None:
        """A job is over."""
        self.running.pop(job_id, None)
        self.asked.pop(job_id, None)
        self.comparing.discard(job_id)

    @property
    def taken(self) -> set[str]:
        """Checkpoints that a worker has now, for whatever reason: none is given to two."""
        return {*self.running.values(), *(checkpoint for _, checkpoint in self.asked.values())}

    def queue(self) -> list[Row]:
        """What can start now, in order."""
        rows = [row for row in self.rows if row.state == CheckpointState.QUEUED and not row.cause]
        return sorted(rows, key=lambda row: turn(row.point.step, row.missing, self.plan.policy))

    def count_missing(self, row: Row, wanted: Sequence[str]) -> int | None:
        """How many of the `wanted` analyses a queued checkpoint lacks.

        None where it has results of which nobody knows yet whether they are of the weights that lie there now.
        """
        candidate = row.candidate
        digested = candidate is not None and self.standing.digest(candidate, self.description.record) is not None
        if not digested and not self.plan.force and any(self.index.keys(row.point.name, name) for name in wanted):
            return None
        return len(set(row.missing).intersection(wanted))

    def neighbour(self, name: str) -> Neighbour | None:
        """Another complete checkpoint, while none but `name` has been digested."""
        others = [row.candidate for row in self.rows if row.candidate is not None and row.point.name != name]
        if not others or any(self.standing.digest(other, self.description.record) is not None for other in others):
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
        """The gate's word on every checkpoint that is there, and on what only a pin keeps. The pins come first:
        what is complete is kept before anything else is asked."""
        verdicts = self.gate.look_at_all(self.run.checkpoints(), now)
        if not self.training_over:
            self.keeper.keep(verdicts, set(self.index.checkpoints().names), now)
        self._open = [name for name, verdict in verdicts.items() if verdict.candidate is None]
        return verdicts | self.keeper.only_kept(verdicts, now)

    def _note_lost(self, verdicts: Mapping[str, Verdict], skipped: Mapping[str, str], now: float) -> None:
        """What vanished since the last scan, and is wanted and without results, is lost."""
        states = {row.point.name: row.state for row in self.rows}
        settled = {*skipped, *self.index.checkpoints().names}
        self.vanished.look(verdicts, self._seen, states, settled, now)

    def _gone(self, point: Point) -> Row | None:
        """The row of a checkpoint that was lost."""
        lost = self.vanished.gone.get(point.name)
        return None if lost is None else Row(point, CheckpointState.GONE, cause=lost.cause)

    def _learn(self, verdicts: Mapping[str, Verdict], now: float) -> None:
        """What is true of the whole run: which checkpoints there ever were, its record, its probe set."""
        places = self.run.places()
        for name in self.index.checkpoints().names:
            if name not in self._seen:
                self._seen[name] = Point(name, step_at(name, places), self._result_epoch(name))
        for point in self.vanished.points(self.heard):
            self._seen.setdefault(point.name, point)
        for name, verdict in verdicts.items():
            if verdict.rested and name in self._seen:
                continue
            epoch = verdict.candidate.epoch if verdict.candidate else peek_epoch(self.run, name)
            step = verdict.candidate.step if verdict.candidate else step_at(name, places)
            self._seen[name] = Point(name, step, epoch)
        candidates = [verdict.candidate for verdict in verdicts.values() if verdict.candidate is not None]
        self.description.refresh(candidates, self.pins)
        newest = max((candidate.complete_at for candidate in candidates), default=now)
        self.training_over = self.plan.once or training_over(
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
