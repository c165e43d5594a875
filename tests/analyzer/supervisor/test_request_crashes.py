"""Requests and an analyzer that dies at any step: each is answered once or refused, and none is lost."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from analyzer.jobs.tasks import AskTask
from shared.answers import ASK
from shared.requests.folder import all_states, entries, file_request
from shared.requests.record import Analyze, Cancel, Retry
from shared.run import Run
from tests.making.asking import answer, asked
from tests.making.stage import Stage


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


class KilledAfter:
    """Ends everything after the nth rename or deletion in the run's folders of requests and answers."""

    def __init__(self, step: int) -> None:
        self.left, self.done = step, False

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path | str, *words: Any, **options: Any) -> Any:
            descriptors = [each for each in options.values() if type(each) is int]
            folders = [Path(f"/proc/self/fd/{each}").readlink() for each in descriptors]
            found = function(path, *words, **options)
            told = f"{path} {words} {''.join(f'{folder}/' for folder in folders)}"
            if not self.done and any(part in told for part in ("/requests/", "/requested/", "/asked/")):
                self.left -= 1
                if self.left < 0:
                    self.done = True
                    raise Killed
            return found

        return call


def filed(run: Run) -> dict[str, str]:
    """Some requests of each kind; id -> what has to become of it."""
    found = {
        file_request(run, asked("a", "checkpoint-10", "checkpoint-20")).id: "done",
        file_request(run, asked("b")).id: "cancelled",
        file_request(run, Analyze(checkpoints=("checkpoint-20",), only=("layers",))).id: "done",
        file_request(run, Retry()).id: "done",
        file_request(run, asked("c", "checkpoint-77")).id: "refused",
    }
    cancelled = next(name for name, state in found.items() if state == "cancelled")
    return found | {file_request(run, Cancel(request=cancelled)).id: "done"}


def test_killed_at_every_step_each_request_is_answered_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (10, 20):
        stage.add(number)
    stage.steps(6)
    run, real = Run.at(stage.target), {name: getattr(os, name) for name in ("replace", "unlink", "rename")}
    step, kill = 0, KilledAfter(0)
    while step == 0 or kill.done:
        expected, kill, stage = filed(run), KilledAfter(step), stage.restart()
        stage.engine.behaviour = answer
        with monkeypatch.context() as patched:
            for name, function in real.items():
                patched.setattr(os, name, kill.around(function))
            with suppress(Killed):
                stage.steps(8)
        if kill.done:
            stage = stage.restart()
            stage.engine.behaviour = answer
            stage.steps(8)
        states = {state.id: state for state in all_states(run)}
        assert {name: states[name].state for name in expected} == expected, step
        assert list(entries(run)) == [] and not stage.supervisor.runs[run.path].desk.open
        answers = [key for name in expected for each in states[name].checkpoints for key in each.answers]
        there = sorted(path.parent.name for path in run.asked.glob(f"*/{ASK}/*/result.json"))
        assert sorted(answers) == there, "no answer without its request, and none twice"
        for folder in (run.asked, run.requested):
            shutil.rmtree(folder)
        step += 1
    assert step > 15, "the kills came between the steps of a request's way"


def test_what_takes_the_analyzer_with_it_every_time_is_given_up(stage: Stage) -> None:
    stage.add(10)
    stage.engine.behaviour = answer
    stage.steps(4)
    run = Run.at(stage.target)
    name = file_request(run, asked()).id
    tried: Counter[str] = Counter()
    for _ in range(14):
        stage = stage.restart()
        stage.engine.behaviour, stage.engine.held = answer, True
        stage.steps(3)
        tried.update(job.task.kind for job in stage.engine.jobs if isinstance(job.task, AskTask))
    (state,) = [state for state in all_states(run) if state.id == name]
    assert tried["ask"] == 10 and state.state == "failed" and "was killed 10 times" in state.sentence
