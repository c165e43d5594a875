"""A worker without torch, for the engine's contract test: what it does depends on the checkpoint's step.

1 works; 2 dies; 3 hangs; 4 prints onto stdout in the middle of its work; 5 kills itself like the kernel does.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time

from analyzer.engines.command import FROM_STDIN
from analyzer.jobs.messages import Computation, Event, Failure, Job, WorkerOptions
from analyzer.worker.process import die_with_parent, own_events, read_jobs
from shared.version import __version__

COMPUTATIONS = {
    "tokens": Computation(suite="basic", version=1, settings={"a": 1}),
    "layers": Computation(suite="basic", version=1, settings={}),
}


def main() -> None:
    events = own_events()
    die_with_parent()
    if sys.argv[1] == FROM_STDIN:
        WorkerOptions.model_validate_json(sys.stdin.readline())
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_jobs, args=(sys.stdin, jobs), daemon=True).start()

    def emit(event: Event) -> None:
        events.write(event.model_dump_json() + "\n")
        events.flush()

    emit(Event(kind="ready", device="cpu", version=__version__, computations=COMPUTATIONS))
    while True:
        job = Job.model_validate_json(jobs.get())
        emit(Event(kind="started", job=job.id))
        act(job, emit)
        emit(Event(kind="finished", job=job.id))


def act(job: Job, emit) -> None:
    if job.step == 2:
        os._exit(7)
    if job.step == 3:
        time.sleep(600)
    if job.step == 4:
        os.write(1, b'{"kind": "finished"}\nnot an event\n')
        print("library chatter")
    if job.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    emit(Event(kind="progress", job=job.id, analysis="tokens", done=1, total=2))
    emit(Event(kind="committed", job=job.id, analysis="tokens"))
    emit(Event(kind="failed", job=job.id, analysis="layers", failure=Failure.ANALYSIS, cause="no"))


if __name__ == "__main__":
    main()
