"""Runs stages one after another: what is done is left alone, what fails is said, what needs it is left out by name.

A stage is done when its work is there and was done by the same command. Everything is written down as it happens
(journeys.stage_record), and a stage's work is judged by its files, so a pipeline that was killed goes on where it
was."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from journeys.children import Child, last_lines, log_lines, stop
from journeys.leftovers import stop_leftover, with_command
from journeys.stage import Stage, State
from journeys.stage_record import RecordFile, StageRecord
from shared.errors import UsageError

POLL_S = 0.5
"""Time between two looks, seconds."""


class Start(Protocol):
    """Starts `midwatch WORDS...` with its output in `log`."""

    def __call__(self, words: Sequence[str], log: Path, cores: Sequence[int]) -> Child: ...


@dataclass
class Shown:
    """One stage at this moment, for the screen."""

    stage: Stage
    state: State = State.WAITING
    cause: str = ""
    tail: Sequence[str] = ()
    """Of a failure: the last lines of its log."""
    seconds: float = 0.0
    """Time it took, or has taken so far."""
    earlier: bool = False
    """Whether its work was there before."""
    started: float = 0.0
    """When it began, on the monotonic clock."""
    share_at_start: float = 0.0


@dataclass
class StageRunner:
    """The stages of one pipeline, in order."""

    stages: Sequence[Stage]
    record: RecordFile
    logs: Path
    start: Start
    children: list[Child]
    """Everything started is put here, for whoever ends it when we are interrupted."""
    show: Callable[[Sequence[Shown]], None]
    running: dict[str, Child] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = [Shown(stage) for stage in self.stages]
        self.row = {row.stage.name: row for row in self.rows}

    def run(self) -> list[Shown]:
        """Every stage, to its end. Raises UsageError when one was begun with other options and cannot be done
        over."""
        self._stop_leftovers()
        for row in self.rows:
            self._settle(row)
            self.show(self.rows)
        return self.rows

    def _stop_leftovers(self) -> None:
        for name, before in list(self.record.unfinished()):
            for pid in with_command(before.words) if before.pid is None else [before.pid]:
                stop_leftover(pid, before.words)
            known = self.record.get(name)
            if known is not None:
                self.record.set(name, known.model_copy(update={"pid": None}))

    def _settle(self, row: Shown) -> None:
        """Bring one stage to its end, whichever that is."""
        stage = row.stage
        missing = [name for name in stage.needs if not self.row[name].stage.made()]
        if stage.skipped:
            self._end(row, State.SKIPPED, stage.skipped)
        elif missing:
            self._end(row, State.MISSED, f"needs {_joined(missing)}, whose work is not there")
        elif stage.name in self.running:
            self._wait(row)
        elif self._is_done(stage):
            row.earlier = True
            self._end(row, State.DONE)
        else:
            self._begin(row)
            self._wait(row)

    def _is_done(self, stage: Stage) -> bool:
        """Whether there is nothing to do. Raises UsageError where there would be, and it cannot be done over."""
        if not stage.made():
            return False
        before = self.record.get(stage.name)
        same = before is None or not before.words or (before.words, before.inputs) == _asked(stage)
        if stage.fixed and not same:
            given = " ".join(before.words if before else [])
            raise UsageError(
                f"{self.record.path.parent} was begun with other options or other data (`midwatch {given}`); give "
                "them again, or another --output-dir."
            )
        own = before is None or stage.fixed or _left_whole(before)
        return same and own and not (stage.again and any(map(self._acted, self.row)))

    def _acted(self, name: str) -> bool:
        """Whether a stage has done something now."""
        return self.row[name].state is State.DONE and not self.row[name].earlier

    def _begin(self, row: Shown, *, beside: bool = False) -> None:
        """Start a stage and those that run beside it."""
        stage = row.stage
        words, inputs = _asked(stage)
        joining = [other for other in self.rows if other.stage.beside == stage.name and self._may_join(other.stage)]
        cores = stage.cores if joining or beside else ()
        more = () if beside else stage.alone
        begun = StageRecord(state=State.RUNNING, words=words, inputs=inputs, over_earlier=stage.made())
        self.record.set(
            stage.name, begun
        )  # before it starts: killed right after, its process is found by these words
        child = self.start([*words, *stage.resume(), *more], self.logs / f"{_file(stage.name)}.log", cores)
        self.children.append(child)
        self.running[stage.name] = child
        row.state, row.started, row.share_at_start = State.RUNNING, time.monotonic(), stage.share() or 0.0
        self.record.set(stage.name, begun.model_copy(update={"pid": child.process.pid}))
        for other in joining:
            self._begin(other, beside=True)

    def _may_join(self, stage: Stage) -> bool:
        """Whether it is wanted, and has what it needs beside the work of the stage that it accompanies."""
        ready = all(self.row[name].stage.made() for name in stage.needs if name != stage.beside)
        return ready and not stage.skipped and not (stage.until is None and self._is_done(stage))

    def _wait(self, row: Shown) -> None:
        """Until a running stage has ended, or its work is there."""
        stage, child = row.stage, self.running[row.stage.name]
        while child.code is None and not (stage.until is not None and stage.until()):
            self._tick()
            time.sleep(POLL_S)
        code = child.code
        stop([child])
        del self.running[stage.name]
        self._tick()
        if code not in (None, 0):
            self._fail(row, child.log, _last_words(child.log, code or 0))
        elif not stage.made():
            why = stage.why_not() or "it ended without an error, but its work is not there"
            self._fail(row, child.log, f"{why.rstrip('.')} (log: {child.log})")
        else:
            self._end(row, State.DONE)

    def _fail(self, row: Shown, log: Path, cause: str) -> None:
        row.tail = last_lines(log)
        self._end(row, State.FAILED, cause)

    def _tick(self) -> None:
        for name in self.running:
            self.row[name].seconds = time.monotonic() - self.row[name].started
        self.show(self.rows)

    def _end(self, row: Shown, state: State, cause: str = "") -> None:
        name = row.stage.name
        if name in self.running:  # what it ran beside failed
            stop([self.running.pop(name)])
        row.state, row.cause = state, cause
        before = self.record.get(name)
        if state in (State.SKIPPED, State.MISSED) and before is not None:
            return  # what was done of it earlier stays known
        known = before or StageRecord(state=state)
        seconds = known.seconds if row.earlier else row.seconds
        self.record.set(
            name, known.model_copy(update={"state": state, "pid": None, "seconds": seconds, "cause": cause})
        )


def digest_of(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in order; empty for none."""
    found = hashlib.sha256()
    for path in paths:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest() if paths else ""


def _asked(stage: Stage) -> tuple[list[str], str]:
    """A stage's command, and the digest of what it is done from: its inputs and its config file."""
    words = stage.words()
    config = [Path(value) for option, value in pairwise(words) if option == "--config"]
    return words, digest_of([*stage.inputs(), *config])


def _left_whole(before: StageRecord) -> bool:
    """Whether the work that is there is that of the command that was recorded, as it should be."""
    return before.state is not State.FAILED and not (before.state is State.RUNNING and before.over_earlier)


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _file(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _last_words(log: Path, code: int) -> str:
    """The sentence with which a command ended, from its log."""
    lines = log_lines(log)
    said = [line.removeprefix("midwatch: ") for line in lines if line.startswith("midwatch: ")]
    last = said[-1] if said else lines[-1].strip() if lines else "it said nothing"
    return f"exit code {code}: {last} (log: {log})"
