"""The prompts of an evaluation: read, scored, and those told apart that have no label or no score."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from analyzer.evaluation.scored import read_by, scored
from analyzer.jobs.messages import Job
from analyzer.jobs.tasks import EvaluateTask
from analyzer.session.opened import Opened
from analyzer.statistics.folds import independent_groups
from analyzer.statistics.score_meaning import Scored
from shared.errors import JudgeError
from shared.evaluations import TEST
from shared.findings.evaluation import EvaluatedData
from shared.findings.text import counted
from shared.prompts.conversation import response_warnings, takes_response
from shared.prompts.leaks import count_leaks
from shared.prompts.load import Loaded, load_any
from shared.prompts.prompt_files import read_prompts
from shared.records import Prompt
from shared.run import Run


@dataclass(frozen=True)
class Asked:
    """What the judge was asked, and its answers."""

    loaded: Loaded
    scores: np.ndarray
    """(labelled and unlabelled,) nats; NaN or infinite where the judge gives no number."""
    prompts: list[Prompt]
    """The labelled ones with a score: what everything is measured on."""
    measured: Scored
    """Their scores, labels and groups."""
    warnings: list[str]

    @property
    def flagged(self) -> int:
        return int((self.scores[np.isfinite(self.scores)] > 0).sum())


def read_prompts_of(job: Job, task: EvaluateTask) -> Loaded:
    """The prompts, with their responses where the judge's template takes one. Raises UsageError."""
    if task.name == TEST:
        return Loaded(read_prompts(Run(job.run, job.out).test), [])
    return load_any(task.source, task.reading, responses=takes_response(job.record.judge.template))


def ask(opened: Opened, loaded: Loaded) -> Asked:
    """Score them. Raises JudgeError where the judge gives no number at all."""
    everything = [*loaded.labelled, *loaded.unlabelled]
    scores = scored(opened, read_by(opened, everything), opened.progress("scoring"))
    finite = np.isfinite(scores)
    if not finite.any():
        raise JudgeError(
            f"{opened.job.checkpoint} gives no finite score for any of {counted(len(scores), 'prompt')}; look at "
            "an earlier checkpoint."
        )
    kept = np.flatnonzero(finite[: len(loaded.labelled)])
    prompts = [loaded.labelled[place] for place in kept]
    unsafe = np.array([prompt.label == "unsafe" for prompt in prompts], dtype=bool)
    measured = Scored(scores[kept], unsafe, independent_groups(prompts))
    warnings = [*_warnings(loaded, finite), *response_warnings(everything, opened.judge.template)]
    return Asked(loaded, scores, prompts, measured, warnings)


def _warnings(loaded: Loaded, finite: np.ndarray) -> list[str]:
    """What the reader must know of what was left out."""
    found, lost = [], int((~finite).sum())
    if loaded.unlabelled and loaded.labelled:
        found.append(
            f"{len(loaded.unlabelled):,} of {len(finite):,} prompts have no label: there are predictions of them, "
            "and they count nowhere else."
        )
    elif loaded.unlabelled:
        found.append("No prompt has a label, so there are predictions only: nothing says which of them are right.")
    if lost:
        found.append(f"The judge's score of {lost:,} of {len(finite):,} prompts is not finite; they are left out.")
    labels = {prompt.label for prompt in loaded.labelled}
    if len(labels) == 1:
        other = "safe" if labels == {"unsafe"} else "unsafe"
        found.append(f"No prompt is {other}, so rates that need one, AUC and thresholds cannot be told.")
    return found


def data_of(opened: Opened, task: EvaluateTask, asked: Asked) -> EvaluatedData:
    """What the record says of the prompts."""
    loaded = asked.loaded
    everything = [*loaded.labelled, *loaded.unlabelled]
    return EvaluatedData(
        name=task.name,
        source=task.source,
        digest=_digest(loaded),
        labelled=len(asked.prompts),
        unlabelled=len(loaded.unlabelled),
        unscored=int((~np.isfinite(asked.scores)).sum()),
        groups=len(np.unique(asked.measured.groups)),
        leaks=count_leaks(opened.run, everything),
    )


def _digest(loaded: Loaded) -> str:
    lines = [prompt.model_dump_json(include={"text", "response", "label"}) for prompt in loaded.labelled]
    lines += [prompt.model_dump_json(include={"text", "response"}) for prompt in loaded.unlabelled]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
