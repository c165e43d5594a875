"""One job, top to bottom: digest, load, analyse, commit, draw. Runs in the worker; imports torch.

What is no analysis (`Job.task`) is `one_task.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from analyzer.analyses import Outcome
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.family import told_family
from analyzer.jobs.keys import drawn_keys, note_drawn, under
from analyzer.jobs.lineage_search import LineageSearch
from analyzer.jobs.messages import Computation, Event, Failure, Job
from analyzer.jobs.result_index import StoreIndex
from analyzer.worker.computing import JobComputer
from analyzer.worker.drawing import OthersDraw, alone
from analyzer.worker.one_task import OneTask
from analyzer.worker.overridden import overridden
from analyzer.worker.recomparison import compared_again, superseded
from analyzer.worker.warm_judge import WarmJudge
from analyzer.worker.work import Emit, Work, kind_of, sentence_of
from shared.errors import (
    CannotCompute,
    CheckpointChanged,
    CheckpointRejected,
    JudgeError,
    LeaseLost,
    SchemaError,
    UsageError,
)
from shared.lease_check import require_lease
from shared.own_writes import fenced
from shared.pages.render import render_checkpoint
from shared.prompts.probes import read_probes
from shared.results import ResultRecord, ResultStore
from shared.turns import COMPARING


@dataclass
class Analyst:
    """What stays in the worker between jobs."""

    warm: WarmJudge
    computations: Mapping[str, Computation]
    batch_tokens: int

    def carry_out(self, job: Job, emit: Emit) -> None:
        """Do a job; whatever goes wrong ends in an event, and the worker lives on."""
        emit(Event(kind="started", job=job.id))
        work = OneTask(job, emit, self.warm, self.batch_tokens) if job.task else OneJob(job, emit, self)
        try:
            work.run_all()
        except Exception as error:  # noqa: BLE001 (one job; recorded and logged)
            work.report(error)
        emit(Event(kind="finished", job=job.id))


@dataclass
class OneJob(Work):
    """One job of analyses being done."""

    analyst: Analyst
    keys: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, Computation] = field(default_factory=dict)
    """Analyses as they are to be computed: what compares with its lineage."""
    earlier: EarlierResults = field(default_factory=EarlierResults)
    drawable: set[str] = field(default_factory=set)
    """Keys that are committed."""
    committed: set[str] = field(default_factory=set)
    """Keys that this job committed."""
    cannot: dict[str, str] = field(default_factory=dict)
    """Analysis -> why it cannot be computed; the supervisor notes it, maybe only after the index is drawn."""

    @cached_property
    def computations(self) -> Mapping[str, Computation]:
        """All there are, as they are under this job's settings and model family."""
        wanted = overridden(self.analyst.computations, self.job.overrides)
        return under(told_family(self.job.family), wanted)

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.run.results, self.job.lease)

    def run_all(self) -> None:
        """Every missing analysis, each committed as soon as it is done; then the figures."""
        self.progress("load", 0, 0)
        digest = self.digest()
        probes = read_probes(self.job.probes)
        probe_digest = probes.digest
        index = StoreIndex(self.store)

        def is_missing(name: str) -> bool:
            look = LineageSearch(index, self.computations, self.job.record.judge, probe_digest)
            return self._missing(name, look, digest.digest)

        missing = [name for name in self.job.analyses if is_missing(name)]
        warm, batch_tokens = self.analyst.warm, self.analyst.batch_tokens
        job = self.job.model_copy(update={"analyses": missing})
        computer = JobComputer(job, digest, probes, probe_digest, warm, batch_tokens, self.progress)
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

    def _done(self, name: str) -> bool:
        if not self.store.has(self.job.checkpoint, name, self.keys[name]):
            return False
        self.drawable.add(self.keys[name])
        return True

    def _one(self, computer: JobComputer, name: str) -> None:
        """One analysis; its failure is recorded and the rest goes on, unless the checkpoint or disk is at fault."""
        self.progress(name, 0, 0)
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
            self.cannot[name] = str(error)
            self.failed(Failure.CANNOT, str(error), name)
        except (CheckpointChanged, CheckpointRejected, JudgeError, LeaseLost, UsageError, OSError):
            raise
        except Exception as error:
            self.verify()
            if computer.judge is None and name != COMPARING:
                raise
            self.tell_in_full(error, name)
            self.failed(kind_of(error), sentence_of(error), name)
        else:
            self._committed(name, record.duration_s)

    def _compute(self, computer: JobComputer, name: str) -> tuple[ResultRecord, Outcome]:
        return computer.compute(name, self.wanted[name], self.keys[name])

    def _compare(self, computer: JobComputer) -> tuple[ResultRecord, Outcome]:
        """The comparison with earlier checkpoints, without the judge where an older one kept what is needed."""
        computer.earlier, key = self.earlier, self.keys[COMPARING]
        found = compared_again(self.earlier, self.wanted[COMPARING], key, self.job, computer.probes.probes)
        return found or self._compute(computer, COMPARING)

    def _draw(self) -> None:
        drawn = drawn_keys(self.run, self.job.checkpoint)
        names = [n for n, key in self.keys.items() if key in self.committed or key in self.drawable - drawn]
        if not names and not self.cannot:
            return
        self._require_lease()
        self.progress("draw", 0, 0)
        try:
            with alone(self.run, self.job.lease, lambda: self.progress("draw", 0, 0)):
                self._require_lease()  # it may have been lost while we waited
                with fenced(self._require_lease):  # nor does whoever lost it replace a page
                    render_checkpoint(self.run, self.job.checkpoint, names, self.cannot)
        except SchemaError as error:
            self.failed(Failure.ANALYSIS, str(error), "draw")
        except OthersDraw as error:
            self.failed(Failure.LOST, str(error), "draw")
        else:
            with fenced(self._require_lease):
                note_drawn(self.run, self.job.checkpoint, self.drawable)

    def _require_lease(self, *_: object) -> None:
        """Raises LeaseLost; of whatever is to be written."""
        require_lease(self.job.lease, self.run.lease, None)

    def _committed(self, name: str, seconds: float) -> None:
        self.drawable.add(self.keys[name])
        self.committed.add(self.keys[name])
        self.emit(Event(kind="committed", job=self.job.id, analysis=name, seconds=seconds))
