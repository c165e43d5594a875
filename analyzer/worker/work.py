"""What every work on one checkpoint does in the worker: digest it, verify it, and tell what happens."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from analyzer.checkpoints.announced_hashes import check_hashes
from analyzer.checkpoints.base_model import base_digest, bases_of, is_model
from analyzer.checkpoints.digest import ContentDigest, compute_digest, read_digest
from analyzer.checkpoints.pins import verify
from analyzer.checkpoints.soundness import validate
from analyzer.jobs.messages import Event, Failure, Job
from analyzer.model.device import is_out_of_memory
from shared.errors import (
    TOO_MANY_OPEN,
    CheckpointChanged,
    CheckpointRejected,
    FamilyError,
    JudgeError,
    LeaseLost,
    OwnPlaceRefused,
    UsageError,
    disk_sentence,
)
from shared.logs import entry
from shared.own_folders import MIDWATCH, VISUALIZATIONS
from shared.run import Run

logger = logging.getLogger(__name__)

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
PERMISSION_ERRORS = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP}

Emit = Callable[[Event], None]


class Base(NamedTuple):
    """An adapter's base model as it was when the adapter was digested."""

    directory: Path
    digest: str

    @property
    def changed(self) -> bool:
        """Whether it is another model now; one that is gone meanwhile is not."""
        return is_model(self.directory) and base_digest(self.directory) != self.digest


@dataclass
class Work:
    """One job being done."""

    job: Job
    emit: Emit
    base: Base | None = field(default=None, init=False)
    """Of an adapter, once it is digested."""

    @property
    def run(self) -> Run:
        return Run(self.job.run, self.job.out)

    def digest(self) -> ContentDigest:
        """What the job's checkpoint holds, once its files are found sound. Raises CheckpointRejected, OSError."""
        found, self.base = digest_of(self.job)
        return found

    def verify(self) -> None:
        """Raises CheckpointChanged when what was read is no longer what had passed the gate."""
        job = self.job
        verify(job.directory, job.pinned, job.source, tuple(job.files), job.checkpoint)
        if self.base is not None and self.base.changed:
            raise CheckpointChanged(
                f"The base model of {job.checkpoint} was overwritten while it was analysed; discarded."
            )

    def report(self, error: Exception) -> None:
        """The whole job failed: say why, and what kind of why."""
        try:
            self.verify()
        except CheckpointChanged as changed:
            return self.failed(Failure.CHANGED, str(changed))
        if isinstance(error, FamilyError):  # the same for every checkpoint, and nobody's but the user's to correct
            return self.emit(Event(kind="refused", job=self.job.id, cause=str(error)))
        failure, cause = kind_of(error), sentence_of(error)
        if isinstance(error, OSError) and _is_storage(error, self.job.out):
            failure, cause = Failure.STORAGE, disk_sentence(error, self.job.out)
        if failure == Failure.ANALYSIS:
            self.tell_in_full(error)
        return self.failed(failure, cause)

    def tell_in_full(self, error: Exception, name: str = "") -> None:
        """The traceback, of which the event keeps one sentence."""
        what = f"{name} of {self.job.checkpoint}" if name else self.job.checkpoint
        logger.error(
            "%s failed",
            what,
            exc_info=error,
            extra=entry("raised", checkpoint=self.job.checkpoint, analysis=name, cause=sentence_of(error)),
        )

    def failed(self, failure: Failure, cause: str, name: str = "") -> None:
        self.emit(Event(kind="failed", job=self.job.id, analysis=name, failure=failure, cause=cause))

    def progress(self, name: str, done: int, total: int) -> None:
        self.emit(Event(kind="progress", job=self.job.id, analysis=name, done=done, total=total))


def digest_of(job: Job) -> tuple[ContentDigest, Base | None]:
    """What a job's checkpoint holds, and an adapter's base. Raises CheckpointRejected where files are not sound,
    and OSError."""
    run, files = Run(job.run, job.out), tuple(job.files)
    weights = validate(job.directory, job.source, bases_of(run, job.record))
    base = None if weights.base is None else Base(weights.base, base_digest(weights.base))
    known = read_digest(run.digests, job.checkpoint, files, base and base.digest)
    if known is None:
        check_hashes(run, job.directory, job.checkpoint, files)
    return known or compute_digest(job.directory, weights, job.checkpoint, files, run.digests), base


def kind_of(error: BaseException) -> Failure:
    """What kind of failure an exception is."""
    if isinstance(error, CheckpointChanged):
        return Failure.CHANGED
    if isinstance(error, LeaseLost):
        return Failure.LEASE
    if isinstance(error, CheckpointRejected | JudgeError | UsageError):
        return Failure.REJECTED
    return Failure.MEMORY if is_out_of_memory(error) else Failure.ANALYSIS


def sentence_of(error: BaseException) -> str:
    """An exception for people: its first line, and its kind where it is not one of ours."""
    text = str(error).strip().split("\n")[0][:400]
    if type(error).__module__.startswith(("shared.", "analyzer.")):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_storage(error: OSError, out: Path) -> bool:
    """Whether our own disk is at fault, or the machine: full, read-only, not ours to write, or not answering."""
    if isinstance(error, OwnPlaceRefused) or error.errno in {*DISK_ERRORS, *TOO_MANY_OPEN}:
        return True
    name, ours = str(error.filename or ""), (str(out / MIDWATCH), str(out / VISUALIZATIONS))
    pinned = name.startswith(str(Run(out, out).pins))  # a link to the trainer's own file
    return error.errno in PERMISSION_ERRORS and name.startswith(ours) and not pinned
