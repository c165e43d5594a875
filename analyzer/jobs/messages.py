"""What crosses the pipe between supervisor and worker: one job down, events up, each one JSON line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from analyzer.checkpoints.fingerprint import FileStat
from analyzer.jobs.lineage import Lineage
from analyzer.jobs.tasks import Task
from shared.logs import Format
from shared.records import Frozen, RunRecord

BATCH_TOKENS = 4096
"""Token budget of one batch where nobody asks for another."""


class WorkerOptions(Frozen):
    """How a worker computes; the same for all its jobs."""

    device: str = "auto"
    cores: int | None = None
    """Threads, on the machine's last cores; None takes all."""
    rank: int = 0
    """Which one it is of several workers on a machine: each has its own cores, and of GPUs its own."""
    nice: int = 10
    batch_tokens: int = BATCH_TOKENS
    """Tokens of one batch: prompts x padded length."""
    log_format: Format = "text"
    """How the worker says what it has to say, on stderr."""
    place: Path | None = None
    """Where relative names are meant from, which adapters may have for their base model: the user's directory."""
    elsewhere: bool = False
    """Whether the worker may be on another machine, where a run is not certain to be there under the same path."""
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Analysis -> setting -> value, where the user wants another than the default."""


class Neighbour(Frozen):
    """Another complete checkpoint of the run."""

    checkpoint: str
    directory: Path
    files: list[FileStat]


class Job(Frozen):
    """Everything the worker needs to analyse one checkpoint. Without `analyses` it only draws the figures, and with
    a `task` it does that instead."""

    id: str
    run: Path
    out: Path
    checkpoint: str
    step: int
    epoch: float | None
    directory: Path
    """What is read: the pin, or the checkpoint itself."""
    source: Path
    files: list[FileStat]
    """The fingerprint of `source` that passed the gate."""
    pinned: bool
    order_unverified: bool = False
    record: RunRecord
    probes: Path
    analyses: list[str] = Field(default_factory=list)
    """Names, in the order they run."""
    task: Task | None = None
    """What is done instead of analyses."""
    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Analysis -> setting -> value, where a request wants another than the worker's."""
    others: list[Neighbour] = Field(default_factory=list)
    """Further complete checkpoints of the run, by step, that the task looks at, too."""
    lease: str = ""
    """Owner of the lease without which nothing is committed; empty where none is held."""
    force: bool = False
    """Compute again what is already committed, and replace it."""
    warnings: list[str] = Field(default_factory=list)
    """What every result should say, e.g. that labels were assumed."""
    neighbour: Neighbour | None = None
    """To be digested too, where no other checkpoint was yet: only two of them tell which layers train."""
    family: dict[str, Any] | None = None
    """Fields of `Family`: what the user's file says of this run's model family; None leaves it to ours. The worker
    makes a `Family` of it (`told_family`), so that a supervisor without such a file needs none."""
    batch_divisor: int = 1
    """2, 4, ... after attempts that the system ended for want of memory."""


class Failure(StrEnum):
    """Why something was not done, and so what happens next."""

    ANALYSIS = "analysis"
    """One analysis raised; the others go on; tried again."""
    CANNOT = "cannot"
    """The judge or the probe set lacks what the analysis needs: recorded, not tried again."""
    REJECTED = "rejected"
    """The checkpoint cannot serve as a judge: not tried again until it changes."""
    CHANGED = "changed"
    """It, or a result that it is compared with, was deleted or overwritten meanwhile: no fault of the checkpoint,
    uses no attempt."""
    LEASE = "lease"
    """Another analyzer has the run by now: uses no attempt, and nothing more is written there."""
    STORAGE = "storage"
    """Our own disk is full, read-only or does not answer, or too many files are open: pause, uses no attempt."""
    MEMORY = "memory"
    """Out of memory with the smallest batch, on the CPU too."""
    CRASH = "crash"
    """The worker died."""
    LOST = "lost"
    """The worker's node went away, was taken for others, the job was cancelled, or others drew the run for too
    long: no fault of the checkpoint, uses no attempt, and says nothing about memory."""
    TIMEOUT = "timeout"
    """The worker gave no sign of life and was killed."""


class Computation(Frozen):
    """An analysis as the worker can compute it: what, beside the checkpoint and the probes, its key depends on."""

    suite: Literal["basic", "advanced"]
    version: int
    settings: dict[str, Any]
    lineage: Lineage | None = None
    """The other results that this one is made from; None for an analysis of one checkpoint alone."""
    family: str | None = None
    """Digest of a user's description of the run's model family; None under our own."""


class Event(Frozen):
    """One thing that happened in the worker."""

    kind: Literal["ready", "refused", "started", "progress", "committed", "failed", "finished"]
    """ready: can take jobs; refused: cannot start, or a job cannot be done as asked (`cause` says why; without
    `failure` it is the user's choice of device, settings or family); the rest is about `job`."""
    job: str = ""
    analysis: str = ""
    """Which analysis; "load" or "draw" for what is before and after them; empty for the whole job."""
    done: int = 0
    total: int = 0
    cause: str = ""
    failure: Failure | None = None
    seconds: float = 0.0
    """Of a committed result: how long it took to compute."""
    device: str = ""
    version: str = ""
    """Of the Midwatch that a ready worker runs."""
    computations: dict[str, Computation] = Field(default_factory=dict)
