"""One job, top to bottom: digest, load, analyse, commit, draw. Runs in the worker; imports torch."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from analyzer.analyses import Outcome
from analyzer.checkpoints.base_model import base_digest, bases_of, is_model
from analyzer.checkpoints.digest import ContentDigest, compute_digest, read_digest
from analyzer.checkpoints.pins import verify
from analyzer.checkpoints.soundness import Weights, validate
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.family import told_family
from analyzer.jobs.keys import drawn_keys, note_drawn, under
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation, Event, Failure, Job
from analyzer.jobs.result_index import StoreIndex
from analyzer.model.device import is_out_of_memory
from analyzer.worker.computing import JobComputer
from analyzer.worker.recomparison import compared_again, superseded
from analyzer.worker.warm_judge import WarmJudge
from shared.errors import (
    CannotCompute,
    CheckpointChanged,
    CheckpointRejected,
    FamilyError,
    JudgeError,
    SchemaError,
    UsageError,
    disk_sentence,
)
from shared.logs import entry
from shared.own_folders import MIDWATCH, VISUALIZATIONS
from shared.pages.render import render_checkpoint
from shared.prompts.probes import read_probes
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from shared.turns import COMPARING

logger = logging.getLogger(__name__)

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
PERMISSION_ERRORS = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP}

Emit = Callable[[Event], None]


@dataclass
class Analyst:
    """What stays in the worker between jobs."""

    warm: WarmJudge
    computations: Mapping[str, Computation]
    batch_tokens: int

    def carry_out(self, job: Job, emit: Emit) -> None:
        """Do a job; whatever goes wrong ends in an event, and the worker lives on."""
        emit(Event(kind="started", job=job.id))
        work = OneJob(self, job, emit)
        try:
            work.run_all()
        except Exception as error:  # noqa: BLE001 (one job; recorded and logged)
            work.report(error)
        emit(Event(kind="finished", job=job.id))


@dataclass
class OneJob:
    """One job being done."""

    analyst: Analyst
    job: Job
    emit: Emit
    keys: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, Computation] = field(default_factory=dict)
    """Analyses as they are to be computed: what compares with its lineage."""
    earlier: EarlierResults = field(default_factory=EarlierResults)
    drawable: set[str] = field(default_factory=set)
    """Keys that are committed."""
    committed: set[str] = field(default_factory=set)
    """Keys that this job committed."""
    base: tuple[Path, str] | None = None
    """Of an adapter: where its base model lies, and that one's digest."""

    @property
    def run(self) -> Run:
        return Run(self.job.run, self.job.out)

    @cached_property
    def computations(self) -> Mapping[str, Computation]:
        """All there are, as they are under this job's model family."""
        return under(told_family(self.job.family), self.analyst.computations)

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.run.results)

    def run_all(self) -> None:
        """Every missing analysis, each committed as soon as it is done; then the figures."""
        self._progress("load", 0, 0)
        weights = validate(self.job.directory, self.job.source, bases_of(self.run, self.job.record))
        digest = self._digest(weights)
        probes = read_probes(self.job.probes)
        probe_digest = probes.digest
        index = StoreIndex(self.store)

        def is_missing(name: str) -> bool:
            look = LineageSearch(index, self.computations, self.job.record.judge, probe_digest)
            return self._missing(name, look, digest.digest)

        missing = [name for name in self.job.analyses if is_missing(name)]
        warm, batch_tokens = self.analyst.warm, self.analyst.batch_tokens
        job = self.job.model_copy(update={"analyses": missing})
        computer = JobComputer(job, digest, probes, probe_digest, warm, batch_tokens, self._progress)
        for name in self.job.analyses:
            if is_missing(name):
                self._one(computer, name)
        self._draw()

    def _missing(self, name: str, look: LineageSearch, digest: str) -> bool:
        """Whether an analysis has to be done; one that compares depends on what is committed by now."""
        checkpoint = self.job.checkpoint
        wanted = look.traced({name: self.computations[name]}, checkpoint, digest)
        self.wanted |= wanted
        self.keys |= look.keys(wanted, digest)
        lineage = wanted[name].lineage
        if lineage is not None:
            self.earlier = EarlierResults(
                checkpoint, self.job.epoch, digest, lineage, look, reuse=not self.job.force
            )
        return self.job.force or not self._done(name)

    def _digest(self, weights: Weights) -> ContentDigest:
        files = tuple(self.job.files)
        self.base = None if weights.base is None else (weights.base, base_digest(weights.base))
        known = read_digest(self.run.digests, self.job.checkpoint, files, self.base and self.base[1])
        return known or compute_digest(self.job.directory, weights, self.job.checkpoint, files, self.run.digests)

    def _done(self, name: str) -> bool:
        if not self.store.has(self.job.checkpoint, name, self.keys[name]):
            return False
        self.drawable.add(self.keys[name])
        return True

    def _one(self, computer: JobComputer, name: str) -> None:
        """One analysis; its failure is recorded and the rest goes on, unless the checkpoint or disk is at fault."""
        self._progress(name, 0, 0)
        try:
            record, outcome = self._compare(computer) if name == COMPARING else self._compute(computer, name)
            self.verify()
            if self.job.force:
                self.store.remove(self.job.checkpoint, name, self.keys[name])
            self.store.commit(record, outcome.tensors)
            if name == COMPARING:
                for key in superseded(self.earlier, self.keys[name]):
                    self.store.remove(self.job.checkpoint, name, key)
        except CannotCompute as error:
            self._failed(Failure.CANNOT, str(error), name)
        except (CheckpointChanged, CheckpointRejected, JudgeError, UsageError, OSError):
            raise
        except Exception as error:
            self.verify()
            if computer.judge is None and name != COMPARING:
                raise
            self._tell_in_full(error, name)
            self._failed(_kind(error), _sentence(error), name)
        else:
            self._committed(name, record.duration_s)

    def _compute(self, computer: JobComputer, name: str) -> tuple[ResultRecord, Outcome]:
        return computer.compute(name, self.wanted[name], self.keys[name])

    def _compare(self, computer: JobComputer) -> tuple[ResultRecord, Outcome]:
        """The comparison with earlier checkpoints, without the judge where an older one kept what is needed."""
        computer.earlier, key = self.earlier, self.keys[COMPARING]
        found = compared_again(self.earlier, self.wanted[COMPARING], key, self.job, computer.probes.probes)
        return found or self._compute(computer, COMPARING)

    def verify(self) -> None:
        """Raises CheckpointChanged when what was read is no longer what had passed the gate."""
        job = self.job
        verify(job.directory, job.pinned, job.source, tuple(job.files), job.checkpoint)
        if self.base is not None and is_model(self.base[0]) and base_digest(self.base[0]) != self.base[1]:
            raise CheckpointChanged(
                f"The base model of {job.checkpoint} was overwritten while it was analysed; discarded."
            )

    def _draw(self) -> None:
        drawn = drawn_keys(self.run, self.job.checkpoint)
        names = [n for n, key in self.keys.items() if key in self.committed or key in self.drawable - drawn]
        if not names:
            return
        self._progress("draw", 0, 0)
        try:
            render_checkpoint(self.run, self.job.checkpoint, names)
        except SchemaError as error:
            self._failed(Failure.ANALYSIS, str(error), "draw")
        else:
            note_drawn(self.run, self.job.checkpoint, self.drawable)

    def report(self, error: Exception) -> None:
        """The whole job failed: say why, and what kind of why."""
        try:
            self.verify()
        except CheckpointChanged as changed:
            return self._failed(Failure.CHANGED, str(changed))
        if isinstance(error, FamilyError):  # the same for every checkpoint, and nobody's but the user's to correct
            return self.emit(Event(kind="refused", job=self.job.id, cause=str(error)))
        failure, cause = _kind(error), _sentence(error)
        if isinstance(error, OSError) and _is_storage(error, self.job.out):
            failure, cause = Failure.STORAGE, disk_sentence(error, self.job.out)
        if failure == Failure.ANALYSIS:
            self._tell_in_full(error)
        return self._failed(failure, cause)

    def _tell_in_full(self, error: Exception, name: str = "") -> None:
        """The traceback, of which the event keeps one sentence."""
        what = f"{name} of {self.job.checkpoint}" if name else self.job.checkpoint
        logger.error(
            "%s failed",
            what,
            exc_info=error,
            extra=entry("raised", checkpoint=self.job.checkpoint, analysis=name, cause=_sentence(error)),
        )

    def _committed(self, name: str, seconds: float) -> None:
        self.drawable.add(self.keys[name])
        self.committed.add(self.keys[name])
        self.emit(Event(kind="committed", job=self.job.id, analysis=name, seconds=seconds))

    def _failed(self, failure: Failure, cause: str, name: str = "") -> None:
        self.emit(Event(kind="failed", job=self.job.id, analysis=name, failure=failure, cause=cause))

    def _progress(self, name: str, done: int, total: int) -> None:
        self.emit(Event(kind="progress", job=self.job.id, analysis=name, done=done, total=total))


def _kind(error: BaseException) -> Failure:
    """What kind of failure an exception is."""
    if isinstance(error, CheckpointChanged):
        return Failure.CHANGED
    if isinstance(error, CheckpointRejected | JudgeError | UsageError):
        return Failure.REJECTED
    return Failure.MEMORY if is_out_of_memory(error) else Failure.ANALYSIS


def _sentence(error: BaseException) -> str:
    """An exception for people: its first line, and its kind where it is not one of ours."""
    text = str(error).strip().split("\n")[0][:400]
    if type(error).__module__.startswith(("shared.", "analyzer.")):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_storage(error: OSError, out: Path) -> bool:
    """Whether our own disk is at fault: full, read-only, or not ours to write."""
    if error.errno in DISK_ERRORS:
        return True
    name = str(error.filename or "")
    return error.errno in PERMISSION_ERRORS and name.startswith((str(out / MIDWATCH), str(out / VISUALIZATIONS)))
