"""Runs whose checkpoints are compared: the real supervisor and worker, on results with numbers made up by step.

Tiny judges are really loaded and passed through (for CKA); what the other analyses publish is made up, so that a
run of many checkpoints takes seconds and every number is known. The window is short, so that the last of 13
checkpoints see further back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import analyzer.evolution.transfer as transfer_module
import analyzer.jobs.lineage as lineage
import analyzer.jobs.lineage_search as lineage_search
import analyzer.worker.computing as computing
import analyzer.worker.one_job as analyse_module
from analyzer.analyses import Analysis, Outcome, get
from analyzer.analyses.evolution import EvolutionSettings
from analyzer.circuits.evaluator import Evaluation
from analyzer.jobs.messages import Computation, Event, Job
from analyzer.session.context import Context
from analyzer.supervisor.plan import Plan
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.findings.evolution import EvolutionResult
from shared.findings.parts import Interval
from shared.results import ResultRecord, ResultStore
from shared.settings import Settings
from tests.making.fake_circuits import explained
from tests.making.fake_engine import FakeEngine
from tests.making.stage import Stage

BASIC = ("tokens", "layers", "comparison", "progress")
ADVANCED = (*BASIC, "neurons", "circuits")
WINDOW, PROBES = 10, 12
LAYERS, HEADS, NEURONS = 2, 4, 8
"""Of `tests.making.tiny` judges; neurons are made up."""
UNCLAIMED = 70
"""Step at which no circuit can be claimed."""
EDGES = (1 + LAYERS * (HEADS + 1), LAYERS * (HEADS + 1) + 1)


class Chosen(Settings):
    """The settings of what is made up."""

    x: int = 0


class MadeUp(BaseModel):
    """The typed result of what is made up."""

    step: int


def numbers(step: int, *salt: int) -> np.random.Generator:
    return np.random.default_rng([step, *salt])


def tokens(step: int, prompts: int = 6, length: int = 8) -> Outcome:
    """Attributions of `prompts` prompts of `length` tokens each."""
    return Outcome(
        MadeUp(step=step),
        {},
        {
            "attributions": numbers(step, 1).standard_normal(prompts * length).astype(np.float32),
            "offsets": np.arange(prompts + 1, dtype=np.int64) * length,
            "token_ids": np.arange(prompts * length, dtype=np.int64),
            "prompts": np.arange(prompts, dtype=np.int64),
        },
    )


def comparison(step: int) -> Outcome:
    layer = {} if step % 3 == 0 else {"divergence_layer": float(step % 2)}
    return Outcome(MadeUp(step=step), {"auroc_last": 0.9} | layer)


def layers(step: int) -> Outcome:
    """What is above the frozen layer moves."""
    norms = np.ones((PROBES, LAYERS + 1), dtype=np.float32)
    norms[:, -1] += numbers(step, 4).random(PROBES)
    return Outcome(MadeUp(step=step), {}, {"residual_norms": norms})


def judged(right: np.ndarray, step: int) -> Outcome:
    """Scores of safe prompts, then of as many unsafe ones, judged rightly or not."""
    labels = np.repeat([0, 1], len(right) // 2)
    scores = np.where(right == (labels == 1), 2.0, -2.0) + 0.5 * numbers(step, 5).random(len(right))
    tensors = {"scores": scores.astype(np.float32), "labels": labels}
    return Outcome(MadeUp(step=step), {"probe_fnr": 0.1, "learning_rate": 1e-4}, tensors)


def progress(step: int) -> Outcome:
    """One prompt after the other is judged wrongly."""
    return judged(np.arange(PROBES) != step // 10 % PROBES, step)


def neurons(step: int) -> Outcome:
    effect = numbers(step, 2).standard_normal((LAYERS, NEURONS)).astype(np.float32)
    return Outcome(MadeUp(step=step), {}, {"effect": effect, "with_effect": (effect > 0.5).astype(np.uint8)})


def circuits(step: int) -> Outcome:
    scores = numbers(step, 3).standard_normal(EDGES).astype(np.float32)
    smallest = (scores > (99 if step == UNCLAIMED else 1.5)).astype(np.uint8)
    return Outcome(MadeUp(step=step), {}, {"scores": scores, "smallest": smallest})


MAKERS: dict[str, Callable[[int], Outcome]] = {
    "tokens": tokens, "layers": layers, "comparison": comparison, "progress": progress, "neurons": neurons,
    "circuits": circuits,
}  # fmt: skip


class MadeUpEvaluator:
    """Stands for `CircuitEvaluator`: what is kept depends on the step and the size alone."""

    explained = explained(1.0, 24)
    full = 1.0

    def __init__(self, context: Context, prompts: int, *, wider: bool) -> None:
        self.step = context.step

    def scores(self, masks: list[np.ndarray]) -> np.ndarray:
        return np.array([[self.step / 1000 + int(mask.sum()) / 100] for mask in masks])

    def told(self, scores: np.ndarray) -> Evaluation:
        return Evaluation(scores[0], scores[0], (1 + scores[0]) / 2, scores)

    def kept(self, scores: np.ndarray, beside: np.ndarray | float = 0.0) -> Interval:
        value = float((scores - beside)[0])
        return Interval(value=value, low=value - 0.1, high=value + 0.1)


def offered(*sources: str) -> dict[str, Computation]:
    """What the worker can compute: these sources, and the comparison."""
    found = {name: Computation(suite="basic", version=1, settings={"x": 0}) for name in sources}
    settings = EvolutionSettings(bootstraps=100).model_dump(mode="json")
    return found | {"evolution": Computation(suite="basic", version=1, settings=settings)}


class Loads:
    """Counts how often the worker loads a judge."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        real = WarmJudge.load

        def load(warm: WarmJudge, job: Job, device: str) -> Any:
            self.names.append(job.checkpoint)
            return real(warm, job, device)

        monkeypatch.setattr(WarmJudge, "load", load)


def make_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but the comparison is made up; figures are not drawn."""

    def made_up(name: str) -> Analysis:
        if name not in MAKERS:
            return get(name)
        return Analysis(name, 1, Chosen, lambda context, settings: MAKERS[name](context.step))

    monkeypatch.setattr(computing, "get", made_up)
    monkeypatch.setattr(analyse_module, "render_checkpoint", lambda *_: [])
    for module in (lineage, lineage_search):
        monkeypatch.setattr(module, "WINDOW", WINDOW)
    monkeypatch.setattr(transfer_module, "CircuitEvaluator", MadeUpEvaluator)


@dataclass
class Evolving:
    """A run that is analysed by the real worker, in this process."""

    stage: Stage
    sources: tuple[str, ...] = BASIC

    @classmethod
    def at(cls, target: Path, template: Path, sources: tuple[str, ...] = BASIC, **plan: Any) -> Evolving:
        return cls(Stage(target, template, Plan(**plan), engine_of(offered(*sources))), sources)

    @classmethod
    def of(cls, target: Path, template: Path, computations: dict[str, Computation], **plan: Any) -> Evolving:
        """The same with other computations."""
        return cls(Stage(target, template, Plan(suite="advanced", **plan), engine_of(computations)))

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.stage.target / "_midwatch" / "results")

    @property
    def jobs(self) -> list[Job]:
        return self.stage.engine.jobs

    @property
    def settled(self) -> bool:
        engine = self.stage.engine
        return not engine.busy and {"queued", "running", "retrying"}.isdisjoint(self.stage.states.values())

    def settle(self, limit: int = 400) -> None:
        """Step until nothing is left to do, and make sure that nothing begins again."""
        for _ in range(limit):
            self.stage.step()
            if self.settled:
                break
        assert self.settled, self.stage.states
        done = len(self.jobs)
        self.stage.steps(5)
        assert len(self.jobs) == done, "it never ends"

    def again(self, *sources: str, **plan: Any) -> Evolving:
        """Another supervisor and worker on the same run."""
        chosen = sources or self.sources
        for watched in self.stage.supervisor.runs.values():
            watched.lease.release()
        stage = Stage(
            self.stage.target, self.stage.template, Plan(**plan), engine_of(offered(*chosen)), now=self.stage.now
        )
        return Evolving(stage, chosen)

    def record(self, step: int, analysis: str = "evolution") -> ResultRecord:
        record = self.store.newest(f"checkpoint-{step}", analysis)
        assert record is not None
        return record

    def result(self, step: int) -> EvolutionResult:
        return EvolutionResult.model_validate(self.record(step).payload)

    def previous(self, step: int) -> int | None:
        found = self.result(step).previous
        return found.step if found else None

    def everything(self) -> dict[str, Any]:
        """What is published: keys of all results, and the whole of each comparison."""
        found: dict[str, Any] = {}
        for checkpoint in self.store.checkpoints():
            for analysis in (*self.sources, "evolution"):
                for key in self.store.keys(checkpoint, analysis):
                    record = self.store.load(checkpoint, analysis, key)
                    tensors = self.store.tensors(record) if analysis == "evolution" else {}
                    found[f"{checkpoint} {analysis} {key}"] = (
                        record.settings, record.summary, record.payload, record.judge,
                        {name: value.tobytes() for name, value in tensors.items()},
                    )  # fmt: skip
        return found


@dataclass
class Worker:
    """The behaviour of a fake engine that really works."""

    analyst: Analyst
    events: list[Event] = field(default_factory=list)

    def __call__(self, job: Job) -> list[Event]:
        events: list[Event] = []
        self.analyst.carry_out(job, events.append)
        self.events += events
        return events


def engine_of(computations: dict[str, Computation]) -> FakeEngine:
    return FakeEngine(Worker(Analyst(WarmJudge("cpu"), computations, 4096)), computations=computations)
