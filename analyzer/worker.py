"""The worker process, `python -m analyzer.worker OPTIONS`: takes jobs as JSON lines on stdin, sends events back.

Events go through the pipe that was stdout at start; after that stdout is stderr, so what a library prints cannot
get between them. It dies with its supervisor: when stdin ends, and on Linux by a signal from the kernel.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import sys
import threading
from typing import TextIO

from analyzer.job import Computation, Event, Job, WorkerOptions
from shared.errors import MidwatchError, UsageError
from shared.settings import explain

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main() -> None:
    """Set up, say what can be computed, then work until the supervisor is gone."""
    events = own_events()
    options = WorkerOptions.model_validate_json(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the supervisor decides
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s worker: %(message)s", stream=sys.stderr)
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_jobs, args=(sys.stdin, jobs), daemon=True).start()
    make_room_for_others(options)

    def emit(event: Event) -> None:
        events.write(event.model_dump_json(exclude_defaults=True) + "\n")
        events.flush()

    try:
        analyst = prepare(options)
    except MidwatchError as error:
        emit(Event(kind="refused", cause=str(error)))
        return
    if options.place is not None and options.place.is_dir():
        os.chdir(options.place)  # only now: what was loaded until here came from nowhere near it
    emit(Event(kind="ready", device=analyst.warm.device, computations=dict(analyst.computations)))
    while True:
        analyst.carry_out(Job.model_validate_json(jobs.get()), emit)


def prepare(options: WorkerOptions):
    """Import torch and see what can be computed where. Raises UsageError for a device or setting that is none."""
    import torch

    from analyzer.analyse import Analyst
    from analyzer.desk import WarmJudge
    from analyzer.device import resolve_device

    if options.cores is not None:
        torch.set_num_threads(options.cores)
    warm = WarmJudge(resolve_device(options.device))
    return Analyst(warm, computations(options), options.batch_tokens)


def computations(options: WorkerOptions) -> dict[str, Computation]:
    """Every analysis in order, with its settings validated once. Raises UsageError naming a bad one."""
    from pydantic import ValidationError

    from analyzer import analyses
    from shared.analyses import all_views

    found = {}
    for view in all_views():
        analysis = analyses.get(view.name)
        try:
            settings = analysis.settings.model_validate(options.overrides.get(view.name, {}))
        except ValidationError as error:
            reason = explain(error, analysis.settings)
            place = f"--set {view.name}." if reason.startswith("--") else f"--set {view.name}: "
            raise UsageError(place + reason.removeprefix("--")) from error
        found[view.name] = Computation(
            suite=view.suite, version=analysis.version, settings=settings.model_dump(mode="json")
        )
    if unknown := sorted(options.overrides.keys() - found.keys()):
        raise UsageError(f"--set {unknown[0]}: no such analysis; there are {', '.join(found)}.")
    return found


def own_events() -> TextIO:
    """Keep the pipe that is stdout for events alone; what anybody prints goes to stderr."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def read_jobs(stream: TextIO, jobs: queue.SimpleQueue[str]) -> None:
    """Pass lines on; when the supervisor is gone there is nobody to work for."""
    for line in stream:
        jobs.put(line)
    os._exit(0)


def die_with_parent() -> None:
    """On Linux the kernel ends this process when its supervisor dies, also in the middle of a long computation."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


def make_room_for_others(options: WorkerOptions) -> None:
    """Lower priority, fewer threads, and the machine's last cores: the trainer comes first."""
    if options.nice and hasattr(os, "nice"):
        os.nice(options.nice)
    if options.cores is None:
        return
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.cores)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-options.cores :])


if __name__ == "__main__":
    main()
