"""Attempts, written down before they start: a checkpoint that takes the whole machine with it is not tried forever.

One file a checkpoint under `_midwatch/attempts/`. Its `identity` names what was attempted (the files, the probe
set, the analyses and their settings); when any of that changes, counting starts anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from analyzer.jobs.messages import Failure
from shared.checkpoint_names import is_plain, place_of
from shared.errors import SchemaError
from shared.files import read_record, write_record
from shared.own_folders import list_directory, refuse_links
from shared.records import Frozen

MAX_ATTEMPTS = 3
"""Failed attempts, after which a checkpoint is quarantined."""
MAX_KILLS = 10
"""Attempts during which the analyzer itself was killed, or a worker's node was lost, after which others come
first: a node that is taken away says nothing about the checkpoint, but one that takes the machine with it must not
do so at every start."""
LONGEST_WAIT_S = 600.0
"""Between two such attempts."""
BACKOFF_FACTOR = 4.0


class Attempt(Frozen):
    """One try. Without `ended_at` it is running, or its analyzer was killed."""

    started_at: float
    """Unix time, seconds."""
    ended_at: float | None = None
    failure: Failure | None = None
    cause: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether it ended through no fault of the checkpoint's: with its analyzer, or with its worker's node."""
        return self.ended_at is None or self.failure == Failure.LOST


class Attempts(Frozen):
    """attempts/<checkpoint>.json."""

    schema_version: int = 1
    identity: str
    attempts: list[Attempt] = Field(default_factory=list)
    rejected: str = ""
    """Why trying again is pointless until something changes."""
    cannot: dict[str, str] = Field(default_factory=dict)
    """Analyses that this judge or probe set cannot have, and why."""

    @property
    def exhausted(self) -> bool:
        """Whether it failed as often as it may. Interrupted is not failed: kills do not count."""
        return len(self.attempts) - self.kills >= MAX_ATTEMPTS

    @property
    def kills(self) -> int:
        """Attempts that were interrupted."""
        return sum(attempt.interrupted for attempt in self.attempts)

    @property
    def tries(self) -> int:
        """How often it was tried, as people count it: what a node's loss ended is given back."""
        return sum(attempt.failure != Failure.LOST for attempt in self.attempts)

    @property
    def cause(self) -> str:
        """Why the last attempt did not succeed, as one sentence."""
        if self.rejected or not self.attempts:
            return self.rejected
        return self.attempts[-1].cause or "The analyzer was killed while it worked on this checkpoint."

    def retry_at(self, backoff_s: float) -> float:
        """Unix time of the next attempt: `backoff_s` x 1, 4, 16, ... after a failure, at once when interrupted.

        From the `MAX_KILLS`th time on it waits as long as that, up to `LONGEST_WAIT_S`.
        """
        if not self.attempts:
            return 0.0
        if self.attempts[-1].interrupted:
            over = self.kills - MAX_KILLS
            wait = min(backoff_s * BACKOFF_FACTOR ** min(over, 10), LONGEST_WAIT_S)
            return 0.0 if over < 0 else self.last_at + wait
        failures = sum(not attempt.interrupted for attempt in self.attempts)
        return self.last_at + backoff_s * BACKOFF_FACTOR ** (failures - 1)

    @property
    def last_at(self) -> float:
        """Unix time of the last thing that happened; 0 where nothing was tried."""
        last = self.attempts[-1] if self.attempts else None
        return 0.0 if last is None else last.ended_at or last.started_at

    @property
    def memory_failures(self) -> int:
        """How often the worker died or ran out of memory: the next batch is halved as often."""
        return sum(attempt.failure in (Failure.CRASH, Failure.MEMORY) for attempt in self.attempts)


@dataclass(frozen=True)
class Ledger:
    """The attempts of one run. Each method reads the disk: a deleted file is a new start. Writes raise OSError."""

    root: Path

    def read(self, checkpoint: str, identity: str) -> Attempts:
        """What was tried so far; empty when it was something else."""
        known = self._known(checkpoint)
        return known if known is not None and known.identity == identity else Attempts(identity=identity)

    def start(self, checkpoint: str, identity: str, now: float) -> None:
        """Write down that an attempt begins."""
        known = self.read(checkpoint, identity)
        self._write(checkpoint, known.model_copy(update={"attempts": [*known.attempts, Attempt(started_at=now)]}))

    def progressed(self, checkpoint: str) -> None:
        """A result was committed: what was tried before says nothing about the rest."""
        known = self._known(checkpoint)
        if known is not None and len(known.attempts) > 1:
            self._write(checkpoint, known.model_copy(update={"attempts": known.attempts[-1:]}))

    def fail(self, checkpoint: str, failure: Failure, cause: str, now: float) -> None:
        """The running attempt failed."""
        known = self._known(checkpoint)
        if known is None or not known.attempts:
            return
        ended = known.attempts[-1].model_copy(update={"ended_at": now, "failure": failure, "cause": cause})
        update: dict = {"attempts": [*known.attempts[:-1], ended]}
        if failure == Failure.REJECTED:
            update["rejected"] = cause
        self._write(checkpoint, known.model_copy(update=update))

    def lose(self, checkpoint: str, cause: str, now: float) -> None:
        """The running attempt was interrupted: kept for its cause, and not counted."""
        self.fail(checkpoint, Failure.LOST, cause, now)

    def cannot(self, checkpoint: str, analysis: str, cause: str) -> None:
        """An analysis is impossible here: remembered, and not an attempt's failure."""
        known = self._known(checkpoint)
        if known is not None:
            self._write(checkpoint, known.model_copy(update={"cannot": known.cannot | {analysis: cause}}))

    def refund(self, checkpoint: str) -> None:
        """The running attempt ended through no fault of the checkpoint's."""
        known = self._known(checkpoint)
        if known is None or not known.attempts:
            return
        try:
            self._write(checkpoint, known.model_copy(update={"attempts": known.attempts[:-1]}))
        except OSError:
            self.reset(checkpoint)  # a full disk still lets us delete, and a fresh start is the kinder error

    def succeed(self, checkpoint: str) -> None:
        """Everything asked for is done; only what cannot be done is still worth knowing."""
        known = self._known(checkpoint)
        if known is None:
            return
        if known.cannot:
            self._write(checkpoint, known.model_copy(update={"attempts": []}))
        else:
            self.reset(checkpoint)

    def settle(self, done: frozenset[str]) -> None:
        """At start: what is done has nothing to try any more, though its analyzer was killed before it said so."""
        for name in done.intersection(self.checkpoints()):
            known = self._known(name)
            if known is not None and known.attempts:
                self.succeed(name)

    def reset(self, checkpoint: str) -> bool:
        """`midwatch retry`: forget everything tried; whether there was anything to forget."""
        path = self._path(checkpoint)
        refuse_links(path.parent)
        if not path.exists():
            return False
        path.unlink(missing_ok=True)
        return True

    def checkpoints(self) -> list[str]:
        """Checkpoints with attempts on file."""
        names = [name.removesuffix(".json") for name in list_directory(self.root) if name.endswith(".json")]
        return [name for name in names if is_plain(name) and (place_of(name) or self._known(name))]

    def _known(self, checkpoint: str) -> Attempts | None:
        if not os.path.lexists(f"{self.root}/{checkpoint}.json"):
            return None
        try:
            return read_record(self._path(checkpoint), Attempts)
        except (FileNotFoundError, NotADirectoryError, SchemaError):
            return None

    def _write(self, checkpoint: str, record: Attempts) -> None:
        write_record(self._path(checkpoint), record)

    def _path(self, checkpoint: str) -> Path:
        return self.root / f"{checkpoint}.json"
