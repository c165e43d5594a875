"""A worker without torch that commits an empty result for every analysis, as a real one does: atomically and once.

It dies as the kernel would end it when a job finds `kill-once` in its run; whoever takes the file away dies.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from analyzer.engines.command import FROM_STDIN
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.worker.process import own_events
from shared.version import __version__
from tests.making.fake_engine import work
from tests.making.fake_worker import COMPUTATIONS

KILL = "kill-once"


def main() -> None:
    events = own_events()

    def emit(event: Event) -> None:
        events.write(event.model_dump_json(exclude_defaults=True) + "\n")
        events.flush()

    if sys.argv[1] == FROM_STDIN:
        WorkerOptions.model_validate_json(sys.stdin.readline())
    version = os.environ.get("MIDWATCH_TEST_VERSION", __version__)
    emit(Event(kind="ready", device="cpu", version=version, computations=COMPUTATIONS))
    for line in sys.stdin:
        carry_out(Job.model_validate_json(line), emit)


class Worker:
    """The same as an actor of Ray has it."""

    def __init__(self, options: str) -> None:
        WorkerOptions.model_validate_json(options)

    def ready(self) -> str:
        return Event(kind="ready", device="cpu", version=__version__, computations=COMPUTATIONS).model_dump_json()

    def carry_out(self, line: str, say: Callable[[str], None]) -> None:
        carry_out(Job.model_validate_json(line), lambda event: say(event.model_dump_json()))


def carry_out(job: Job, emit) -> None:
    """The job, or the end of this process."""
    try:
        (job.run / KILL).unlink()
    except FileNotFoundError:
        for event in work(job):
            emit(event)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
