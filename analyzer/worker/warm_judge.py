"""The judge that a worker keeps between its jobs."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.checkpoints.adapter import is_adapter
from analyzer.checkpoints.base_model import bases_of
from analyzer.checkpoints.digest import read_digest
from analyzer.checkpoints.pins import verify
from analyzer.checkpoints.run_digests import DigestedRuns
from analyzer.jobs.family import told_family
from analyzer.jobs.messages import Job
from analyzer.model.judge import Judge
from analyzer.model.loading import load_judge
from analyzer.session.content_cache import ContentCache
from analyzer.session.frozen_prefix import PrefixStore
from shared.run import Run


@dataclass
class WarmJudge:
    """The judge of the last job, kept in the worker: the next one reads only the tensors that changed.

    Beside it, what frozen layers have given already, statistics of that, and which tensors of a run ever differed.
    """

    device: str
    judge: Judge | None = None
    prefixes: PrefixStore = field(default_factory=PrefixStore)
    cache: ContentCache = field(default_factory=ContentCache)
    digested: DigestedRuns = field(default_factory=DigestedRuns)

    def load(self, job: Job, device: str) -> Judge:
        """The job's judge on `device`.

        Raises what `load_judge` raises, and CheckpointChanged. A judge that failed to load is not kept, nor one of
        files that are no longer those that were digested: its bytes would not be what their digests say.
        """
        warm, self.judge = self.judge, None
        files = tuple(job.files)
        run = Run(job.run, job.out)
        known = read_digest(run.digests, job.checkpoint, files)
        tensors = None if known is None else known.tensors
        judge = load_judge(
            job.directory,
            job.record.judge,
            device=device,
            warm=warm,
            tensors=tensors,
            family=told_family(job.family),
            base=bases_of(run, job.record).of(job.directory, job.source) if is_adapter(job.directory) else None,
        )
        verify(job.directory, job.pinned, job.source, files, job.checkpoint)
        self.judge = judge
        return judge
