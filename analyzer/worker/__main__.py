"""The worker process, `python -m analyzer.worker OPTIONS`: takes jobs as JSON lines on stdin, sends events back.

Events go through the pipe that was stdout at start; after that stdout is stderr, so what a library prints cannot
get between them. It dies with its supervisor: when stdin ends, and on Linux by a signal from the kernel.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from platform import node

from analyzer.engines.command import FROM_STDIN
from analyzer.engines.local import OFFLINE
from analyzer.jobs.messages import Computation, Event, Job, WorkerOptions
from analyzer.worker.process import die_with_parent, make_room_for_others, own_events, read_jobs
from shared.errors import MidwatchError, UsageError
from shared.logs import set_up, take_in_libraries
from shared.settings import explain
from shared.version import __version__


def main() -> None:
    """Set up, say what can be computed, then work until the supervisor is gone."""
    events = own_events()
    options = WorkerOptions.model_validate_json(sys.stdin.readline() if sys.argv[1] == FROM_STDIN else sys.argv[1])
    os.environ.update(OFFLINE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the supervisor decides
    die_with_parent()
    set_up(options.log_format, "worker")
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
    take_in_libraries()  # which prepare() has imported
    known = dict(analyst.computations)
    emit(Event(kind="ready", device=analyst.warm.device, version=__version__, computations=known))
    while True:
        job = Job.model_validate_json(jobs.get())
        if options.elsewhere and not job.run.parent.is_dir():
            emit(Event(kind="refused", job=job.id, cause=unseen(job)))
        else:
            analyst.carry_out(job, emit)


def unseen(job: Job) -> str:
    """That a run is not there, as one sentence."""
    return (
        f"The worker on {node()} sees no {job.run.parent}: what is watched must lie under the same path on every "
        "machine that has a worker."
    )


def prepare(options: WorkerOptions):
    """Import torch and see what can be computed where. Raises UsageError for a device or setting that is none."""
    import torch

    from analyzer.model.device import resolve_device

    if options.cores is not None:
        torch.set_num_threads(options.cores)
    device = resolve_device(options.device, options.rank)  # before the rest is imported, which takes seconds
    from analyzer.worker.one_job import Analyst
    from analyzer.worker.warm_judge import WarmJudge

    return Analyst(WarmJudge(device), computations(options), options.batch_tokens)


def computations(options: WorkerOptions) -> dict[str, Computation]:
    """Every analysis in order, with its settings validated once. Raises UsageError naming a bad one."""
    from pydantic import ValidationError

    from analyzer import analyses
    from shared.views import all_views

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


if __name__ == "__main__":
    main()
