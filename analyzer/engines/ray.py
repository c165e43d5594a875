"""The engine whose worker is an actor of a Ray cluster: one warm worker, on whichever node has room for it.

Ray only places the worker and carries its events. It tries nothing again by itself: the attempts on disk are what
counts. Runs must lie under the same path on every node.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from analyzer.engines.command import same_version
from analyzer.engines.local import MAX_FAILED_STARTS, OFFLINE, TIMEOUT_S
from analyzer.jobs.messages import Event, Failure, Job, WorkerOptions
from shared.errors import MidwatchError, UsageError
from shared.logs import entry

logger = logging.getLogger(__name__)

WORKER = "analyzer.worker.as_actor"
"""Module of the worker's side; it is imported on its node only."""
PENDING_S = 30.0
"""Seconds after which it is said that a worker still waits for room."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Ray sends nobody how it is used."""


class Actor:
    """A worker on its node: what its module offers. It works in one thread, and tells in another."""

    def __init__(self, module: str, options: str) -> None:
        os.environ.update(OFFLINE)
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._worker = importlib.import_module(module).Worker(options)

    def ready(self) -> str:
        """The `ready` or `refused` event."""
        return self._worker.ready()

    def carry_out(self, job: str) -> None:
        """A job, to its end. Raises RuntimeError for what it raises: not each kind of ours crosses as itself."""
        try:
            self._worker.carry_out(job, self._said.put)
        except Exception as error:  # noqa: BLE001 (one job; told where Ray sees it)
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        finally:
            self._said.put(None)

    def heard(self) -> list[str | None]:
        """The next events of the job, as soon as there are any; None after the last one."""
        lines = [self._said.get()]
        while not self._said.empty():
            lines.append(self._said.get())
        return lines


def connect(address: str | None) -> None:
    """Join the cluster at `address` ("auto" for the one on this machine), or start one here.

    Raises UsageError where Ray is not installed, MidwatchError where no cluster answers.
    """
    os.environ.update(QUIET)
    try:
        import ray
    except ImportError as error:
        raise UsageError("--engine ray needs Ray: pip install 'midwatch[ray]'.") from error
    if ray.is_initialized():
        return
    alone: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        ray.init(address=address or "local", logging_level=logging.ERROR, configure_logging=False, **alone)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"at {address}" if address else "on this machine"
        raise MidwatchError(f"No Ray cluster answers {where}: {str(error).strip().splitlines()[0]}") from error


class RayEngine:
    """One actor. It is given up when it gives no sign of life for `timeout_s`, and replaced."""

    def __init__(
        self,
        options: WorkerOptions,
        timeout_s: float = TIMEOUT_S,
        wake: Callable[[], None] = lambda: None,
        *,
        address: str | None = None,
        resources: Mapping[str, float] | None = None,
        module: str = WORKER,
    ) -> None:
        self._options = options.model_copy(update={"elsewhere": True}).model_dump_json()
        self._timeout_s, self._wake, self._address, self._module = timeout_s, wake, address, module
        self._resources = {"num_cpus": options.cores or 1, **(resources or {})}
        self._said: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._actor: Any = None
        self._job: Job | None = None
        self._ready, self._device, self._failed_starts = False, "cpu", 0
        self._asked_at: float | None = None
        self._sign_of_life: float | None = None

    @property
    def capacity(self) -> int:
        return 1

    @property
    def busy(self) -> bool:
        return self._job is not None or not self._ready

    @property
    def devices(self) -> tuple[str, ...]:
        return (self._device,) if self._ready else ()

    @property
    def free(self) -> tuple[str, ...]:
        return () if self.busy else (self._device,)

    def start(self) -> None:
        if self._actor is not None:
            return
        connect(self._address)
        import ray

        kind = ray.remote(Actor).options(max_restarts=0, max_task_retries=0, max_concurrency=2, **self._resources)
        self._actor, self._said, self._asked_at = (
            kind.remote(self._module, self._options),
            queue.SimpleQueue(),
            None,
        )
        self._follow(_get_ready(self._actor))

    def submit(self, job: Job, devices: Collection[str] | None = None) -> None:
        if self.busy:
            raise RuntimeError("the engine is busy")
        self._job, self._sign_of_life = job, None
        self._follow(_carry_out(self._actor, job.model_dump_json()))

    def poll(self, now: float) -> list[Event]:
        events: list[Event] = []
        while not self._said.empty():
            event = self._said.get()
            if event is not None:
                events += self._note(event)
            self._sign_of_life = now
        if self._job is not None:
            self._sign_of_life = self._sign_of_life or now
            if now - self._sign_of_life > self._timeout_s:
                events += self._drop(Failure.TIMEOUT, f"No sign of life for {self._timeout_s:.0f} s (--timeout).")
        if self._actor is None and self._failed_starts < MAX_FAILED_STARTS:
            self.start()
        self._say_pending(now)
        return events

    def cancel(self, job_id: str) -> None:
        if self._job is not None and self._job.id == job_id:
            self._said.put(_died(Failure.LOST, "The job was cancelled."))
            self._wake()

    def close(self) -> None:
        self._drop(Failure.LOST, "")

    def _follow(self, lines: Iterator[str]) -> None:
        threading.Thread(target=_listen, args=(lines, self._said, self._wake), daemon=True).start()

    def _note(self, event: Event) -> list[Event]:
        event = same_version(event)
        if event.kind == "ready":
            self._ready, self._device, self._failed_starts = True, event.device or self._device, 0
        elif event.kind == "refused" and not event.job:
            self._failed_starts = MAX_FAILED_STARTS
        elif event.kind == "finished":
            self._job = None
        elif event.kind == "failed" and not event.job:  # of the actor itself
            return self._ended(event)
        return [event]

    def _ended(self, event: Event) -> list[Event]:
        """The actor is gone, or what it runs raised: its job failed, if it had one."""
        assert event.failure is not None  # noqa: S101 (made by `_died`)
        was_ready = self._ready
        events = self._drop(event.failure, event.cause)
        if not was_ready:
            self._failed_starts += 1
            logger.error(
                "the worker could not start (%s)", event.cause, extra=entry("no_worker", cause=event.cause)
            )
            if self._failed_starts == MAX_FAILED_STARTS:
                events.append(
                    Event(kind="refused", failure=Failure.CRASH, cause=f"No worker starts: {event.cause}")
                )
        return events

    def _drop(self, failure: Failure, cause: str) -> list[Event]:
        job, self._job = self._job, None
        if self._actor is not None:
            import ray

            if ray.is_initialized():
                ray.kill(self._actor, no_restart=True)
        self._actor, self._ready, self._said = None, False, queue.SimpleQueue()
        if job is None:
            return []
        return [
            Event(kind="failed", job=job.id, failure=failure, cause=cause),
            Event(kind="finished", job=job.id),
        ]

    def _say_pending(self, now: float) -> None:
        """A worker for which the cluster has no room waits, and so do we: that is said once."""
        if self._actor is None or self._ready:
            return
        self._asked_at = now if self._asked_at is None else self._asked_at
        if PENDING_S < now - self._asked_at < float("inf"):
            self._asked_at = float("-inf")
            wanted = ", ".join(f"{amount:g} {name}" for name, amount in self._resources.items())
            logger.warning(
                "a worker waits for room on the Ray cluster (%s)",
                wanted,
                extra=entry("worker_pending", cause=wanted),
            )


def _get_ready(actor: Any) -> Iterator[str]:
    import ray

    yield ray.get(actor.ready.remote())


def _carry_out(actor: Any, job: str) -> Iterator[str]:
    import ray

    work, over = actor.carry_out.remote(job), False
    while not over:
        lines = ray.get(actor.heard.remote())
        over = lines[-1] is None
        yield from (line for line in lines if line is not None)
    ray.get(work)


def _listen(lines: Iterator[str], said: queue.SimpleQueue[Event | None], wake: Callable[[], None]) -> None:
    """Pass on what an actor says, to the end of a call. Runs in a thread of its own."""
    from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

    try:
        for line in lines:
            said.put(Event.model_validate_json(line))
            wake()
    except OutOfMemoryError:
        said.put(_died(Failure.CRASH, "Ray ended the worker, as its node ran out of memory."))
    except RayTaskError as error:  # our own code raised, on a node that is well
        said.put(_died(Failure.CRASH, f"The worker failed: {str(error.cause).strip().splitlines()[0][:400]}"))
    except RayError as error:
        first = str(error).strip().splitlines()[0][:200]
        said.put(_died(Failure.LOST, f"The worker was lost: {first}"))
    wake()


def _died(failure: Failure, cause: str) -> Event:
    """That an actor will say nothing more, and why."""
    return Event(kind="failed", failure=failure, cause=cause)
