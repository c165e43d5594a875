"""One task on one checkpoint, in a worker process of its own: what `evaluate` and `attack` have in common.

Choose the checkpoint, see that it is complete, read how its verdict is read, give the job to a worker, and wait.
Nothing is pinned: what changes meanwhile is noticed at the end, and nothing of it is kept.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import NamedTuple

from analyzer.checkpoints.gate import Candidate, Gate, peek_epoch
from analyzer.checkpoints.not_found import nothing_in
from analyzer.checkpoints.not_ours import refuse_to_write_in
from analyzer.checkpoints.pins import PinStore
from analyzer.commands.best_checkpoint import best_checkpoint
from analyzer.commands.checkpoint_choice import choose_one
from analyzer.commands.needed import NEEDED, require
from analyzer.commands.progress_line import TaskProgress, on_terminal
from analyzer.commands.run_names import pattern_of
from analyzer.commands.settings import TaskSettings
from analyzer.commands.stopping import stopping
from analyzer.engines.engine import Engine
from analyzer.engines.local import LocalEngine
from analyzer.jobs.messages import Event, Job, Neighbour
from analyzer.jobs.tasks import Task
from analyzer.supervisor.own_place import own_place
from analyzer.supervisor.run_description import Description
from analyzer.supervisor.schedule import Point
from shared.checkpoint_places import step_at
from shared.errors import MidwatchError, RunError, UsageError
from shared.logs import entry, set_up
from shared.run import Run, find_runs

logger = logging.getLogger(__name__)

LISTEN_S = 1.0
"""Longest wait for the worker, seconds: how late a silent one is noticed."""


class Chosen(NamedTuple):
    """The checkpoint that a task is about."""

    run: Run
    point: Point
    known: list[Point]
    """All checkpoints of the run."""
    why: str
    """By what it was chosen, where that was not said."""


def chosen(settings: TaskSettings) -> Chosen:
    """Before anything is loaded.

    Raises RunError where there is no run or checkpoint, UsageError for `--checkpoint`.
    """
    set_up(settings.log_format)
    run = Run.at(settings.run, settings.out, pattern_of(settings.pattern))
    names = run.checkpoints()
    if not names:
        hint = " Give one run of the folder." if any(path != run.path for path in find_runs(run.path)) else ""
        raise RunError(nothing_in(run) + hint)
    refuse_to_write_in(run)
    places = run.places()
    known = [Point(name, step_at(name, places), peek_epoch(run, name)) for name in names]
    point, why = _meant(run, known, settings.checkpoint)
    return Chosen(run, point, known, why)


def _meant(run: Run, known: list[Point], wanted: str | None) -> tuple[Point, str]:
    """The checkpoint, and why it is that one."""
    if wanted not in (None, "best"):
        return choose_one(known, wanted), ""
    best = best_checkpoint(run, known)
    if best is not None:
        return best.point, f"best by {best.by}"
    if wanted == "best" and len(known) > 1:
        raise UsageError(
            f"--checkpoint best: nothing logged by {run.name} says which was best on validation; give --checkpoint "
            "last, an epoch or a step."
        )
    return choose_one(known, "last"), "the last one"


def carry_out(settings: TaskSettings, about: Chosen, task: Task, *, others: bool = False) -> None:
    """The task, to its end; `others` gives it the run's other complete checkpoints, too.

    Raises UsageError for what the user has to correct, MidwatchError for what failed, KeyboardInterrupt when
    stopped.
    """
    require(*NEEDED)
    stopped, woken = threading.Event(), threading.Event()

    def stop() -> None:
        stopped.set()
        woken.set()

    with (
        own_place(about.run),
        stopping(stop),
        TaskProgress(task.kind, enabled=on_terminal()) as observe,
    ):
        job = _job(settings, about, task, stopped, others=others)
        engine = LocalEngine(settings.worker_options(), settings.timeout, wake=woken.set)
        causes = run_job(engine, job, observe, woken, stopped)
    if causes:
        raise MidwatchError(f"{about.run.name}/{about.point.name}: {' '.join(causes)}")


def run_job(
    engine: Engine, job: Job, observe: Callable[[Event], None], woken: threading.Event, stopped: threading.Event
) -> list[str]:
    """Why a job failed, empty when it did not.

    Raises UsageError when it is refused, MidwatchError when no worker can start, KeyboardInterrupt when stopped.
    """
    causes: list[str] = []
    try:
        engine.start()
        while True:
            woken.clear()
            for event in engine.poll(time.time()):
                observe(event)
                if event.kind == "ready":
                    engine.submit(job)
                elif event.kind == "refused":
                    raise UsageError(event.cause) if event.failure is None else MidwatchError(event.cause)
                elif event.kind == "failed":
                    causes.append(event.cause)
                elif event.kind == "finished":
                    return causes
            if stopped.is_set():
                raise KeyboardInterrupt
            woken.wait(LISTEN_S)
    finally:
        engine.close()


def _job(settings: TaskSettings, about: Chosen, task: Task, stopped: threading.Event, *, others: bool) -> Job:
    """Everything the worker needs. Raises what stands in the way."""
    run, gate = about.run, Gate(about.run, marker=settings.ready_marker)
    candidate = complete(gate, about.point.name, stopped)
    description = Description(run, settings.plan())
    record = description.learn([candidate], PinStore(run.pins, 0))
    for sentence in description.assumed:
        logger.warning("%s: %s", run.name, sentence, extra=entry("assumed", run=run.name, cause=sentence))
    family = description.family
    return Job(
        id=uuid.uuid4().hex,
        run=run.path,
        out=run.out,
        checkpoint=candidate.name,
        step=candidate.step,
        epoch=candidate.epoch,
        directory=candidate.source,
        source=candidate.source,
        files=list(candidate.files),
        pinned=False,
        order_unverified=candidate.order_unverified,
        record=record,
        probes=run.probes,
        task=task,
        others=_others(gate, about) if others else [],
        warnings=description.assumed,
        family=None if family is None else family.model_dump(mode="json"),
    )


def complete(gate: Gate, name: str, stopped: threading.Event) -> Candidate:
    """The checkpoint once the gate lets it pass, waiting where mere quiet is wanted.

    Raises UsageError where it never passes, MidwatchError where its trainer has to write something first.
    """
    said = ""
    while True:
        verdict = gate.look(name, time.time())
        if verdict.candidate is not None:
            return verdict.candidate
        if verdict.refused:
            raise UsageError(verdict.refused)
        if verdict.settles_at is None:
            raise MidwatchError(verdict.cause)
        if verdict.cause != said:
            said = verdict.cause
            logger.info("%s", said, extra=entry("settling", run=gate.run.name, checkpoint=name, cause=said))
        if stopped.wait(max(0.0, verdict.settles_at - time.time())):
            raise KeyboardInterrupt


def _others(gate: Gate, about: Chosen) -> list[Neighbour]:
    """The run's other checkpoints by step, as far as they are complete now or were when nobody looked."""
    found = []
    for point in sorted(about.known, key=lambda point: point.step):
        if point.name == about.point.name:
            continue
        verdict = gate.look(point.name, time.time())
        candidate = verdict.candidate or verdict.promising
        if candidate is not None:
            found.append(Neighbour(checkpoint=point.name, directory=candidate.source, files=list(candidate.files)))
    return found
