"""A checkpoint's judge as a task gets it: loaded, verified, with its place in the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analyzer.checkpoints.digest import ContentDigest
from analyzer.jobs.messages import Job, Neighbour
from analyzer.model.hooked_pass import Progress
from analyzer.model.judge import Judge
from shared.run import Run


@dataclass(frozen=True)
class Opened:
    """What a task is carried out with."""

    judge: Judge
    job: Job
    """Which checkpoint of which run, how its verdict is read, and what is asked."""
    digest: ContentDigest
    batch_tokens: int
    """Token budget of one batch (prompts x padded length). When memory runs out the whole task begins again with
    half of it, so a task need not catch that."""
    progress: Callable[[str], Progress]
    """What is being done -> a function of (done, total) that passes it on a few times a second."""
    verify: Callable[[], None]
    """Raises CheckpointChanged when the files that were read are no longer what passed the gate: called before
    anything is written."""
    another: Callable[[Neighbour], Judge]
    """The judge of another checkpoint, one of `job.others`. It takes the place of `judge`, whose weights it writes
    over, so it comes last. Raises CheckpointRejected, CheckpointChanged and JudgeError."""
    warnings: tuple[str, ...] = ()
    """What the task's result has to say of how it was made."""

    @property
    def run(self) -> Run:
        return Run(self.job.run, self.job.out)
