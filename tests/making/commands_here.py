"""Commands as people type them, in this process: no interpreter starts, and torch is imported once for all of them.

`midwatch` leaves the workers processes, as they are; `midwatch_here` computes in this process, too. What is about
processes (signals, kills, the pipe, what a clean interpreter imports) is tested with real ones, in `tests/e2e`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from analyzer.checkpoints.gate import Gate
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.supervisor.plan import Plan
from analyzer.worker.__main__ import prepare
from analyzer.worker.one_job import Analyst
from midwatch import main
from shared.errors import MidwatchError
from tests.making.quiet_logging import logging_restored

SETTLE_S = 0.05
"""How long two looks at an unannounced checkpoint are apart, seconds: nobody writes it any more."""


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class EngineHere:
    """A worker in this process, for `LocalEngine`: jobs and events cross as JSON, as they do through its pipe."""

    def __init__(
        self, options: WorkerOptions, timeout_s: float = 0.0, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._options = WorkerOptions.model_validate_json(options.model_dump_json())
        self._wake = wake
        self._analyst: Analyst | None = None
        self._job: str | None = None
        self._said: list[str] = []

    def start(self) -> None:
        if self._analyst is None:
            try:
                self._analyst = prepare(self._options)
            except MidwatchError as error:
                return self._emit(Event(kind="refused", cause=str(error)))
            warm = self._analyst.warm
            self._emit(Event(kind="ready", device=warm.device, computations=dict(self._analyst.computations)))
        return None

    @property
    def capacity(self) -> int:
        return 1

    @property
    def busy(self) -> bool:
        return self._analyst is None or self._job is not None

    @property
    def devices(self) -> tuple[str, ...]:
        return () if self._analyst is None else (self._analyst.warm.device,)

    @property
    def free(self) -> tuple[str, ...]:
        return () if self._analyst is None or self._job is not None else (self._analyst.warm.device,)

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        if self.busy:
            raise RuntimeError("the engine is busy")
        self._job = job.model_dump_json()
        self._wake()

    def poll(self, now: float) -> list[Event]:
        """The job, from its beginning to its end, and what was said."""
        if self._job is not None and self._analyst is not None:
            job, self._job = Job.model_validate_json(self._job), None
            with chdir(self._place()):
                self._analyst.carry_out(job, self._emit)
        said, self._said = self._said, []
        return [Event.model_validate_json(line) for line in said]

    def cancel(self, job_id: str) -> None:
        """Nothing runs between two polls."""

    def close(self) -> None:
        self._analyst = self._job = None

    def _emit(self, event: Event) -> None:
        self._said.append(event.model_dump_json(exclude_defaults=True))
        self._wake()

    def _place(self) -> Path:
        place = self._options.place
        return place if place is not None and place.is_dir() else Path.cwd()


def midwatch(*words: object) -> Done:
    """One command in this process, exactly as the script `midwatch` runs it; on a wide terminal."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        logging_restored(),
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(sys, "argv", ["midwatch", *map(str, words)]),
        mock.patch.dict(os.environ, {"COLUMNS": "200"}),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return Done(code, out.getvalue(), err.getvalue())


@contextmanager
def workers_here() -> Iterator[None]:
    """Commands that are called in this process compute in it, too, and give a checkpoint `SETTLE_S` to settle."""
    with (
        mock.patch("analyzer.engines.local.LocalEngine", EngineHere),
        mock.patch("analyzer.commands.one_task.LocalEngine", EngineHere),
        mock.patch("analyzer.commands.settings.Plan", partial(Plan, settle_s=SETTLE_S)),
        mock.patch("analyzer.commands.one_task.Gate", partial(Gate, settle_s=SETTLE_S)),
    ):
        yield


def midwatch_here(*words: object, cwd: Path | None = None) -> Done:
    """One command, and its worker, in this process; `cwd` is the directory it is typed in."""
    with workers_here(), chdir(cwd or Path.cwd()):
        return midwatch(*words)
