"""The judge that confirms labels: which checkpoint of which run, how it is read. Nothing is written there."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from analyzer.checkpoints.gate import Gate, peek_epoch
from analyzer.checkpoints.not_found import nothing_in
from analyzer.checkpoints.pins import PinStore
from analyzer.commands.best_checkpoint import best_checkpoint
from analyzer.commands.checkpoint_choice import choose_one
from analyzer.commands.one_task import complete
from analyzer.commands.settings import TaskSettings
from analyzer.jobs.tasks import SecondJudge
from analyzer.supervisor.run_description import Description
from analyzer.supervisor.schedule import Point
from shared.checkpoint_places import step_at
from shared.errors import UsageError
from shared.run import Run


def second_judge(settings: TaskSettings, place: Path) -> SecondJudge:
    """The best checkpoint of a run by its log, else its last; of a model's directory, the model.

    Raises UsageError where there is none, or it is of the run under attack, MidwatchError where it is not complete.
    """
    run = Run.at(place)
    if run.path == Run.at(settings.run, settings.out).path:
        raise UsageError("--second-judge is the run under attack; give a judge that was trained apart.")
    names, places = run.checkpoints(), run.places()
    if not names:
        raise UsageError(f"--second-judge: {nothing_in(run)}")
    known = [Point(name, step_at(name, places), peek_epoch(run, name)) for name in names]
    best = best_checkpoint(run, known)
    point = choose_one(known, "last") if best is None else best.point
    candidate = complete(Gate(run), point.name, threading.Event())
    description = Description(run, replace(settings.plan(), safe_label=None, unsafe_label=None))
    record = description.learn([candidate], PinStore(run.pins, 0))
    family = description.family
    return SecondJudge(
        name=f"{run.name}/{candidate.name}",
        directory=candidate.source,
        files=list(candidate.files),
        record=record.judge,
        family=None if family is None else family.model_dump(mode="json"),
    )
