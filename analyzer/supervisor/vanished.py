"""Checkpoints that their training deleted before they were analysed: counted, named, and remembered on disk.

That there was one is known from its directory, from the event of its making, from the commit file that announced
it, and from what an earlier analyzer left waiting in status.json. Nothing is inferred from the steps of others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from analyzer.checkpoints.gate import Verdict
from analyzer.checkpoints.pins import PinStore
from analyzer.supervisor.schedule import Point
from shared.checkpoint_names import is_plain, place_of, step_of
from shared.checkpoint_places import step_at
from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.logs import entry
from shared.records import CheckpointState, GoneCheckpoint, GoneRecord
from shared.run import Run
from shared.status_file import read_status

logger = logging.getLogger(__name__)

LEFT_WAITING = (
    CheckpointState.INCOMPLETE,
    CheckpointState.QUEUED,
    CheckpointState.RUNNING,
    CheckpointState.RETRYING,
)
"""States in which there was still something to do, or to see."""
KEEP_MORE = "keep more of them with save_total_limit"
ANNOUNCE = f"To lose none, announce them with the callback AnnounceCheckpoint, or {KEEP_MORE}."
NAMED = 5
"""Checkpoints that a log line names; all of them are in status.json."""


class Seen(NamedTuple):
    """What was seen of a checkpoint last."""

    if_lost: str
    """What is said of it when it is lost, after its name."""
    complete: bool
    """Whether it is known to have been complete; a save that was killed and cleared away was no checkpoint."""


@dataclass
class Vanished:
    """What one run lost. On disk is what is lost; in memory what may yet be."""

    run: Run
    pins: PinStore
    gone: dict[str, GoneCheckpoint] = field(default_factory=dict)
    """What is lost, by name."""
    _let_go: set[str] = field(default_factory=set)
    """Refused or given up, and then deleted: nothing is lost with them."""
    _seen: dict[str, Seen] = field(default_factory=dict)
    _written: GoneRecord = field(default_factory=GoneRecord)
    _began: bool = False

    def points(self, heard: Iterable[str]) -> list[Point]:
        """Checkpoints that are known without their directory; `heard` are those that an event told of."""
        earlier = [] if self._began else self._begin()
        known = {name: Point(name, lost.step, lost.epoch) for name, lost in self.gone.items()}
        known |= {point.name: point for point in earlier}
        for name in filter(_is_numbered, heard):  # `best` is a copy of one of these
            self._seen.setdefault(name, Seen(f"was deleted before Midwatch could look at it. {ANNOUNCE}", False))
        for name in _announced(self.run):
            told = f"was announced, and deleted before Midwatch looked at it. Watch from the start, or {KEEP_MORE}."
            if name not in self._seen or not self._seen[name].complete:
                self._seen[name] = Seen(told, True)
        unknown = self._seen.keys() - known.keys()
        places = self.run.places() if unknown else {}
        return [*known.values(), *(Point(name, step_at(name, places), None) for name in unknown)]

    def look(
        self,
        verdicts: Mapping[str, Verdict],
        points: Mapping[str, Point],
        states: Mapping[str, CheckpointState],
        unwanted: Collection[str],
        now: float,
    ) -> None:
        """Take in one scan, after `points`. Raises OSError when our own disk refuses.

        `verdicts` are of what is there or pinned, `states` those of the scan before, `unwanted` are what policy
        leaves out, and what has results.
        """
        self._let_go |= {name for name, state in states.items() if state not in LEFT_WAITING}
        self._let_go -= verdicts.keys() | self.gone.keys() | set(unwanted)
        self.gone = {name: lost for name, lost in self.gone.items() if name not in verdicts}
        newest = max((point.step for point in points.values()), default=0)
        known = verdicts.keys() | self.gone.keys() | self._let_go | set(unwanted)
        lost = [
            points[name]
            for name, seen in self._seen.items()
            if name not in known and (seen.complete or points[name].step < newest)
        ]
        self._lose(sorted(lost, key=lambda point: point.step), now)
        self._write()
        self._seen |= {
            name: self._sight(verdict)
            for name, verdict in verdicts.items()
            if not verdict.rested or name not in self._seen
        }

    @staticmethod
    def _sight(verdict: Verdict) -> Seen:
        if verdict.candidate is None and verdict.promising is None:
            return Seen(f"was deleted before Midwatch saw it complete. {ANNOUNCE}", False)
        return Seen(f"was deleted before it could be kept. {ANNOUNCE}", True)

    def _why(self, name: str) -> str:
        """Why a checkpoint is lost: by what was seen of it last, and by what kept it from being kept."""
        seen, cause = self._seen[name], self.pins.why_not.get(name)
        if cause is None or not seen.complete:
            return f"{name} {seen.if_lost}"
        return f"{name} was deleted before its turn; it was not kept, as {cause}. To lose none, {KEEP_MORE}."

    def _lose(self, points: list[Point], now: float) -> None:
        for point in points:
            self.gone[point.name] = GoneCheckpoint(
                checkpoint=point.name,
                step=point.step,
                epoch=point.epoch,
                cause=self._why(point.name),
                noticed_at=now,
            )
        if len(points) == 1:
            cause, name = self.gone[points[0].name].cause, points[0].name
            logger.warning("%s", cause, extra=entry("gone", run=self.run.name, checkpoint=name, cause=cause))
        elif points:
            names = ", ".join(point.name for point in points[:NAMED]) + (", ..." if len(points) > NAMED else "")
            cause = f"{len(points)} checkpoints were deleted before they were analysed: {names}"
            logger.warning("%s", cause, extra=entry("gone", run=self.run.name, cause=cause))

    def _begin(self) -> list[Point]:
        """Read what we, or the analyzer before us, knew; returns the checkpoints that it left waiting."""
        self._began = True
        try:
            self._written = read_record(self.run.gone, GoneRecord)
        except (OSError, SchemaError):
            self._written = GoneRecord()
        known = [lost for lost in self._written.checkpoints if is_plain(lost.checkpoint)]
        self.gone = {lost.checkpoint: lost for lost in known}
        self._let_go = set(self._written.let_go)
        try:
            rows = read_status(self.run.status).checkpoints
        except (OSError, SchemaError):
            return []
        rows = [row for row in rows if is_plain(row.checkpoint) and row.state != CheckpointState.GONE]
        self._let_go |= {row.checkpoint for row in rows if row.state not in LEFT_WAITING}
        waiting = [row for row in rows if row.state in LEFT_WAITING]
        told = Seen(f"was deleted while no analyzer watched. To lose none, {KEEP_MORE}.", False)
        self._seen |= {row.checkpoint: told for row in waiting}
        return [Point(row.checkpoint, row.step, row.epoch) for row in waiting]

    def _write(self) -> None:
        """Only what changed: a run that lost nothing has no such file."""
        lost = sorted(self.gone.values(), key=lambda each: (each.step, each.checkpoint))
        record = GoneRecord(checkpoints=lost, let_go=sorted(self._let_go))
        if record != self._written:
            write_record(self.run.gone, record)
            self._written = record


def _is_numbered(name: str) -> bool:
    """Whether a checkpoint's name says a step or an epoch."""
    place = place_of(name)
    return place is not None and (place.step is not None or place.epoch is not None)


def _announced(run: Run) -> list[str]:
    """Checkpoints with a commit file. Only names are read, so it does not matter whose folder it is."""
    try:
        with os.scandir(run.commits) as entries:
            names = [entry.name.removesuffix(".json") for entry in entries if entry.name.endswith(".json")]
    except OSError:
        return []
    return [name for name in names if step_of(name) is not None]
