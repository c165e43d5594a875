"""One task, top to bottom: read its prompts, digest, load, carry out in its own room. Runs in the worker; imports
torch.

A room carries out its task with the opened judge, and writes what it found itself, after `Opened.verify`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from analyzer.asking.ask import ask, prompts_of
from analyzer.attack.room import attack, read_material
from analyzer.checkpoints.digest import ContentDigest
from analyzer.checkpoints.pins import verify
from analyzer.evaluation.asked import read_prompts_of
from analyzer.evaluation.evaluate import evaluate
from analyzer.jobs.messages import Event, Job, Neighbour
from analyzer.model.device import TooLittleMemory, free_memory, is_out_of_memory
from analyzer.model.judge import Judge
from analyzer.session.opened import Opened
from analyzer.worker.throttled import Throttled
from analyzer.worker.warm_judge import WarmJudge
from analyzer.worker.work import Work, digest_of
from shared.errors import UsageError
from shared.logs import entry

logger = logging.getLogger(__name__)

FEWEST_TOKENS = 128
"""Tokens of a batch that are not halved any more."""


class Room(NamedTuple):
    """What carries out tasks of one kind."""

    read: Callable[[Job, Any], Any]
    """The prompts that a task is about. Before the judge is loaded, so that a file that cannot be read is said at
    once; and once, however often memory asks for another try. Raises UsageError."""
    carry_out: Callable[[Opened, Any, Any], None]
    """The task on what was read."""


ROOMS: Mapping[str, Room] = {
    "evaluate": Room(read_prompts_of, evaluate),
    "attack": Room(read_material, attack),
    "ask": Room(prompts_of, ask),
}
"""By a task's kind."""


@dataclass
class OneTask(Work):
    """One task being done. When memory runs out: again with half the batch, then on the CPU."""

    warm: WarmJudge
    batch_tokens: int

    def __post_init__(self) -> None:
        self.device = self.warm.device
        self.first_batch_tokens = self.batch_tokens

    def run_all(self) -> None:
        """The task, as often as memory asks for. Raises what its room raises, and TooLittleMemory."""
        task = self.job.task
        assert task is not None  # noqa: S101 (only such a job is a OneTask)
        room = ROOMS[task.kind]
        material = room.read(self.job, task)
        self.progress("load", 0, 0)
        digest, done = self.digest(), False
        while not done:
            try:
                room.carry_out(self._opened(digest), task, material)
                done = True
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._give_up_something(error)
            # outside the handler: the error's traceback holds on to the tensors that have to go
            if not done:
                free_memory()

    def report(self, error: Exception) -> None:
        """As of any job; but a task that cannot be done as it was asked is the user's to correct."""
        if isinstance(error, UsageError):
            return self.emit(Event(kind="refused", job=self.job.id, cause=str(error)))
        return super().report(error)

    def _opened(self, digest: ContentDigest) -> Opened:
        return Opened(
            judge=self.warm.load(self.job, self.device),
            job=self.job,
            digest=digest,
            batch_tokens=self.batch_tokens,
            progress=lambda what: Throttled(self.progress, what),
            verify=self.verify,
            another=self._another,
            warnings=self._warnings(),
        )

    def _another(self, neighbour: Neighbour) -> Judge:
        job = self._about(neighbour)
        digest_of(job)  # tells the warm judge which tensors changed
        judge = self.warm.load(job, self.device)
        verify(job.directory, job.pinned, job.source, tuple(job.files), job.checkpoint)
        return judge

    def _about(self, neighbour: Neighbour) -> Job:
        place = {"directory": neighbour.directory, "source": neighbour.directory, "files": neighbour.files}
        return self.job.model_copy(update={"checkpoint": neighbour.checkpoint, "pinned": False, **place})

    def _warnings(self) -> tuple[str, ...]:
        if self.device == self.warm.device:
            return ()
        return (f"Memory ran out on {self.warm.device}, so this was computed on the CPU.",)

    def _give_up_something(self, error: Exception) -> None:
        """Prepare another try with less memory. Raises TooLittleMemory when there is nothing left to give up."""
        self.warm.judge = None
        if self.batch_tokens > FEWEST_TOKENS:
            self.batch_tokens = max(FEWEST_TOKENS, self.batch_tokens // 2)
            extra = entry("smaller_batches", checkpoint=self.job.checkpoint, batch_tokens=self.batch_tokens)
            logger.warning("out of memory: trying again with smaller batches", extra=extra)
        elif self.device != "cpu":
            self.device, self.batch_tokens = "cpu", self.first_batch_tokens
            extra = entry("to_cpu", checkpoint=self.job.checkpoint, batch_tokens=self.batch_tokens)
            logger.warning("out of memory: trying again on the CPU", extra=extra)
        else:
            raise TooLittleMemory(
                "Too little memory even for one prompt at a time: give a device or a machine with more memory, or "
                "stop what else uses it."
            ) from error
