"""Every failure at the run's other checkpoints: which one opened the hole, and which closed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analyzer.attack.scorer import scorer
from analyzer.session.opened import Opened
from analyzer.statistics.intervals import Clusters
from shared.errors import CheckpointChanged, CheckpointRejected, JudgeError
from shared.findings.attack import Failure, Hold
from shared.findings.parts import Interval
from shared.results import checkpoint_label


def elsewhere(opened: Opened, texts: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Checkpoint -> (texts,) scores; and a sentence for each checkpoint that could not be read.

    The judge that was opened is gone afterwards: its place is the others'.
    """
    found, notes = {}, []
    told = opened.progress("other checkpoints")
    for done, other in enumerate(opened.job.others):
        told(done, len(opened.job.others))
        try:
            found[other.checkpoint] = scorer(opened.another(other), opened.batch_tokens)(texts)
        except (CheckpointRejected, CheckpointChanged, JudgeError) as error:
            notes.append(f"The attacks were not tried on {other.checkpoint}: {error}")
    return found, notes


def hold(
    checkpoint: str,
    step: int,
    epoch: float | None,
    failures: Sequence[Failure],
    scores: np.ndarray,
    seeds: np.ndarray,
) -> Hold:
    """How many failures fool a checkpoint, from its (failures,) scores of them and of their seeds.

    Failures of one seed are not independent, so the intervals are over seeds.
    """
    sign = np.array([1 if failure.label == "unsafe" else -1 for failure in failures])
    wrong, right = scores * sign <= 0, seeds * sign > 0
    clusters = Clusters([failure.seed for failure in failures], draws=1, seed=0)
    return Hold(
        checkpoint=checkpoint,
        label=checkpoint_label(step, epoch, checkpoint),
        step=step,
        of=len(failures),
        fooled=_share(wrong, clusters),
        holes=_share(wrong & right, clusters),
    )


def _share(which: np.ndarray, clusters: Clusters) -> Interval:
    value = float(which.mean())
    return clusters.share(value, (which - value) / len(which), clusters.count)


def with_later(failures: Sequence[Failure], scores: Mapping[str, np.ndarray]) -> list[Failure]:
    """The failures with their scores at the other checkpoints."""
    return [
        failure.model_copy(update={"later": {name: _rounded(values[place]) for name, values in scores.items()}})
        for place, failure in enumerate(failures)
    ]


def _rounded(value: float) -> float:
    return round(float(value), 4)
