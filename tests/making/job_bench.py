"""A run with real tiny checkpoints and a worker's analyst over it, without processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.records import JudgeRecord, RunRecord
from shared.results import ResultRecord, ResultStore
from tests.making.runs import add_checkpoint

FAST = {"tokens": {"extra_prompts": 2, "random_rankings": 1}, "comparison": {"bootstraps": 100, "shuffles": 20}}


class Bench:
    """One run, one analyst, and the events of its jobs."""

    def __init__(self, run: Path, template: Path, options: WorkerOptions) -> None:
        self.run, self.template = run, template
        self.analyst = Analyst(WarmJudge("cpu"), computations(options), 4096)
        self.store = ResultStore(run / "_midwatch" / "results")

    def add(self, step: int, **more: Any) -> Path:
        return add_checkpoint(self.run, step, self.template, step / 10, **more)

    def job(self, step: int, **changes: Any) -> Job:
        source = self.run / f"checkpoint-{step}"
        values: dict[str, Any] = {
            "id": "job",
            "run": self.run,
            "out": self.run,
            "checkpoint": source.name,
            "step": step,
            "epoch": step / 10,
            "directory": source,
            "source": source,
            "files": list(fingerprint(source)),
            "pinned": False,
            "record": RunRecord(judge=JudgeRecord(max_length=32)),
            "probes": self.run / "probes.jsonl",
            "analyses": ["layers"],
        }
        return Job.model_validate(values | changes)

    def do(self, job: Job) -> list[Event]:
        events: list[Event] = []
        self.analyst.carry_out(job, events.append)
        assert (events[0].kind, events[-1].kind) == ("started", "finished")
        return events

    def failure(self, job: Job) -> Event:
        """The one failure of a job."""
        (failed,) = [event for event in self.do(job) if event.kind == "failed"]
        return failed

    def result(self, step: int, analysis: str = "layers") -> ResultRecord:
        record = self.store.newest(f"checkpoint-{step}", analysis)
        assert record is not None
        return record
