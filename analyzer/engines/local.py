"""The engine that computes jobs in a process of this machine, kept warm from one job to the next.

An engine remembers nothing: the ledger on disk is what counts, and an engine never tries a job again by itself.
"""

from __future__ import annotations

import logging
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from typing import IO

from pydantic import ValidationError

from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from shared.logs import entry
from shared.processes import NEUTRAL, child_environment, python_command

logger = logging.getLogger(__name__)

MAX_FAILED_STARTS = 3
"""Workers that die before they are ready, in a row, after which starting another is pointless."""
TIMEOUT_S = 1800.0
"""Seconds without a sign of life after which a worker is killed, where nobody asks for another time."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""What the worker's libraries are told: a checkpoint that names something on the Hub fetches nothing."""
STOP_S = 5.0
"""Seconds a worker gets to end before it is killed."""


class LocalEngine:
    """One warm worker process. It is killed when it gives no sign of life for `timeout_s`, and started again."""

    def __init__(
        self,
        options: WorkerOptions,
        timeout_s: float = TIMEOUT_S,
        wake: Callable[[], None] = lambda: None,
        command: Sequence[str] = tuple(python_command("analyzer.worker")),
    ) -> None:
        self._options, self._timeout_s, self._wake, self._command = options, timeout_s, wake, command
        self._process: subprocess.Popen[str] | None = None
        self._relay = threading.Thread()
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._job: Job | None = None
        self._ready, self._device = False, "cpu"
        self._sign_of_life: float | None = None
        self._failed_starts = 0
        self._cancelled = self._told = False

    @property
    def capacity(self) -> int:
        return 1

    @property
    def busy(self) -> bool:
        return self._job is not None or not self._ready or self._cancelled  # a killed worker takes nothing

    @property
    def devices(self) -> tuple[str, ...]:
        return (self._device,) if self._ready else ()

    @property
    def free(self) -> tuple[str, ...]:
        return () if self.busy else (self._device,)

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        if self._process is not None:
            return
        environment = child_environment(**OFFLINE, PYTHONUNBUFFERED="1")
        if self._options.cores is not None:  # torch reads it when it is imported
            environment["OMP_NUM_THREADS"] = str(self._options.cores)
        self._lines = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [*self._command, *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if sys.stderr.isatty() else None,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=NEUTRAL,
        )
        self._begin(self._process)
        reader = threading.Thread(target=self._read, args=(self._process.stdout, self._lines), daemon=True)
        reader.start()
        self._relay = threading.Thread(target=_say_again, args=(self._process.stderr,), daemon=True)
        self._relay.start()

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        if self.busy or self._process is None or self._process.stdin is None:
            raise RuntimeError("the engine is busy")
        self._job, self._sign_of_life = job, None
        self._write(self._process, job.model_dump_json())

    def poll(self, now: float) -> list[Event]:
        events: list[Event] = []
        while not self._lines.empty():
            line = self._lines.get()
            if line is None:
                events += self._ended()
            elif (event := self._parse(line)) is not None:
                events.append(self._note(event))
                self._sign_of_life = now
        if self._job is not None:
            self._sign_of_life = self._sign_of_life or now
            if now - self._sign_of_life > self._timeout_s:
                events += self._drop(Failure.TIMEOUT, f"No sign of life for {self._timeout_s:.0f} s (--timeout).")
        if self._process is None and self._failed_starts < MAX_FAILED_STARTS:
            self.start()
        return events

    def cancel(self, job_id: str) -> None:
        if self._job is not None and self._job.id == job_id and self._process is not None:
            self._cancelled = True
            self._process.kill()

    def close(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def _read(self, stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
        with stream:
            for line in stream:
                lines.put(line)
                self._wake()
        lines.put(None)
        self._wake()

    def _arguments(self) -> list[str]:
        """What follows its command."""
        return [self._options.model_dump_json()]

    def _begin(self, process: subprocess.Popen[str]) -> None:
        """What is written to a worker before any job."""

    def _write(self, process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None  # noqa: S101 (it was started with a pipe)
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except OSError:  # the end of its pipe reports it
            logger.debug("the worker died before it was told", extra=entry("job_not_taken"))

    def _hang_up(self) -> None:
        if self._process is not None:
            _close(self._process.stdin)

    def _parse(self, line: str) -> Event | None:
        try:
            return Event.model_validate_json(line)
        except ValidationError:
            self._unreadable(line)
            return None

    def _unreadable(self, line: str, what: str = "the worker said something unreadable") -> None:
        logger.warning("%s: %s", what, line.rstrip("\n")[:200], extra=entry("unreadable_event"))

    def _note(self, event: Event) -> Event:
        if event.kind == "ready":
            self._ready, self._device, self._failed_starts = True, event.device or self._device, 0
        elif event.kind == "refused" and not event.job:
            self._failed_starts = MAX_FAILED_STARTS
        elif event.kind == "finished":
            self._job = None
        return event

    def _ended(self) -> list[Event]:
        """The worker died: its job failed, if it had one."""
        assert self._process is not None  # noqa: S101 (its reader has just seen it end)
        code = self._process.wait()
        self._relay.join(STOP_S)  # its last words come before ours
        was_ready = self._ready
        if self._cancelled:
            events = self._drop(Failure.LOST, "The job was cancelled.")
        else:
            events = self._drop(*self._what_ended(code))
        if not was_ready and self._failed_starts < MAX_FAILED_STARTS:
            self._failed_starts += 1
            cause = _how_it_ended(code)
            logger.error("the worker could not start (%s)", cause, extra=entry("no_worker", cause=cause))
            if self._failed_starts == MAX_FAILED_STARTS:
                cause = "The worker cannot start; see the lines above, and run `midwatch doctor`."
                events.append(Event(kind="refused", failure=Failure.CRASH, cause=cause))
        return events

    def _what_ended(self, code: int) -> tuple[Failure, str]:
        """What the end of a worker means for the job that it had, by its exit code."""
        return Failure.CRASH, _how_it_ended(code)

    def _drop(self, failure: Failure, cause: str) -> list[Event]:
        """Kill what is left of the worker and close its job."""
        job, self._job = self._job, None
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._forget()
        if job is None:
            return []
        return [
            Event(kind="failed", job=job.id, failure=failure, cause=cause),
            Event(kind="finished", job=job.id),
        ]

    def _forget(self) -> None:
        if self._process is not None:
            _close(self._process.stdin)  # its reader closes the other one
        self._process, self._ready, self._lines = None, False, queue.SimpleQueue()
        self._cancelled = False  # of this worker, and of no later one


def _say_again(pipe: IO[str] | None) -> None:
    """What a worker prints, line by line, where a progress line may be drawn on the terminal of both."""
    if pipe is None:
        return
    with pipe:
        for line in pipe.buffer:  # type: ignore[attr-defined]
            sys.stderr.write(line.decode("utf-8", "replace"))


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        logger.debug("a line to the worker was still unsent", extra=entry("job_not_sent"))


def _how_it_ended(code: int) -> str:
    """An exit code for people."""
    if code >= 0:
        return f"The worker ended with exit code {code}."
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    hint = "; the system may be out of memory" if -code == signal.SIGKILL else ""
    return f"The worker was ended by {name}{hint}."
