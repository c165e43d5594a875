"""What every analysis of a job shares: the judge on its device, one context, and the provenance of each result."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from analyzer.analyses import Outcome, get
from analyzer.checkpoints.digest import ContentDigest
from analyzer.jobs.earlier_results import EarlierResults
from analyzer.jobs.messages import Computation, Job
from analyzer.model.device import TooLittleMemory, free_memory, is_out_of_memory
from analyzer.model.judge import Judge
from analyzer.session.context import Context
from analyzer.session.frozen_layers import frozen_layers
from analyzer.session.frozen_prefix import FrozenPrefix
from analyzer.session.left_out import without_unscored
from analyzer.session.notices import notices
from analyzer.worker.assumed_threshold import assumed_threshold
from analyzer.worker.logged_metrics import metrics_until
from analyzer.worker.provenance import provenance
from analyzer.worker.throttled import Progress, Throttled
from analyzer.worker.warm_judge import WarmJudge
from shared.logs import entry
from shared.prompts.conversation import response_warnings
from shared.prompts.leaks import count_leaks
from shared.prompts.probes import ProbeSet
from shared.records import Notice
from shared.results import ResultRecord
from shared.run import Run

logger = logging.getLogger(__name__)


@dataclass
class JobComputer:
    """The judge laid open for one job's analyses.

    When memory runs out: half the batch, down to one prompt, then the CPU. Passes that are done are kept.
    """

    job: Job
    digest: ContentDigest
    probes: ProbeSet
    probe_digest: str
    warm: WarmJudge
    batch_tokens: int
    progress: Progress
    judge: Judge | None = None
    context: Context | None = None
    earlier: EarlierResults = field(default_factory=EarlierResults)
    """What the next analysis is to be compared with."""

    def __post_init__(self) -> None:
        self.run = Run(self.job.run, self.job.out)
        self.device = self.warm.device
        self.batch_tokens = self.first_batch_tokens = max(1, self.batch_tokens // self.job.batch_divisor)

    def compute(self, name: str, computation: Computation, key: str) -> tuple[ResultRecord, Outcome]:
        """One analysis with its provenance.

        Raises what the computation raises, and TooLittleMemory when one prompt at a time is too much for the CPU.
        """
        analysis = get(name)
        settings = analysis.settings.model_validate(computation.settings)
        started = time.perf_counter()
        outcome = None
        while outcome is None:
            try:
                context = self._context(Throttled(self.progress, name))
                context.earlier = self.earlier
                outcome = analysis.compute(context, settings)
                notices(context)  # made here, where running out of memory is dealt with; kept for the record
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._give_up_something(error)
            # outside the handler: the error's traceback holds on to the tensors that have to go
            if outcome is None:
                free_memory()
        return self._record(name, computation, key, outcome, time.perf_counter() - started), outcome

    def _give_up_something(self, error: Exception) -> None:
        """Prepare another try with less memory. Raises TooLittleMemory when there is nothing left to give up."""
        prompts = [] if self.context is None else self.context.encoded
        longest = max((len(prompt.ids) for prompt in prompts), default=1)
        if self.context is not None and self.batch_tokens > longest:
            self.batch_tokens = self.context.batch_tokens = max(longest, self.batch_tokens // 2)
            logger.warning(
                "out of memory: trying again with batches of %d tokens",
                self.batch_tokens,
                extra=entry("smaller_batches", checkpoint=self.job.checkpoint, batch_tokens=self.batch_tokens),
            )
        elif self.device != "cpu":
            self.judge = self.warm.judge = self.context = None
            self.device, self.batch_tokens = "cpu", self.first_batch_tokens
            extra = entry("to_cpu", checkpoint=self.job.checkpoint, batch_tokens=self.batch_tokens)
            logger.warning("out of memory: trying again on the CPU", extra=extra)
        else:
            size = f" of up to {longest} tokens" if prompts else ""
            raise TooLittleMemory(
                f"Too little memory even for one prompt at a time{size}: give the analyzer a device or a machine "
                "with more memory, or stop what else uses it."
            ) from error
        if self.device == "cpu":  # what is kept for later takes the very memory that is wanting
            self.warm.prefixes.clear()
            if self.context is not None:
                self.context.prefix = None

    def _context(self, progress: Throttled) -> Context:
        """The shared context, made at first use and again after memory ran out.

        Without the prompts for which the judge gives no number, as it is published.
        """
        if self.context is None:
            self.context = self._opened()
        self.context.progress = progress
        self.context = without_unscored(self.context)  # once it has passed, it has nothing to do
        return self.context

    def _opened(self) -> Context:
        """The judge and the probe set, before any pass."""
        job, run = self.job, self.run
        if self.judge is None:
            self.judge = self.warm.load(job, self.device)
        frozen = frozen_layers(job, run, self.digest, self.judge, self.warm.digested)
        return Context(
            judge=self.judge,
            probes=self.probes.probes,
            pairs=list(self.probes.pairs),
            step=job.step,
            run=job.record,
            metrics=metrics_until(run, job.directory, job.step),
            frozen_boundary=frozen.boundary,
            frozen_from=frozen.source,
            embeddings_frozen=frozen.embeddings,
            digest=self.digest,
            leak_count=count_leaks(run, self.probes.everything),
            batch_tokens=self.batch_tokens,
            suite=frozenset(job.analyses),
            cache=self.warm.cache,
            prefix=FrozenPrefix(self.warm.prefixes, self.digest, frozen.boundary if frozen.embeddings else 0),
        )

    def _record(
        self, name: str, computation: Computation, key: str, outcome: Outcome, seconds: float
    ) -> ResultRecord:
        judge, context = self.judge, self.context
        assert judge is not None and context is not None  # noqa: S101 (compute has just used them)
        warnings = [
            *self.probes.warnings,
            *response_warnings(self.probes.probes, judge.template),
            *assumed_threshold(context),
            *outcome.warnings,
        ]
        if self.device != self.warm.device:
            warnings.append(f"Memory ran out on {self.warm.device}, so this was computed on the CPU.")
        return provenance(
            self.job,
            context,
            outcome,
            analysis=name,
            computation=computation,
            key=key,
            digest=self.digest,
            probe_digest=self.probe_digest,
            warnings=warnings,
            notices=self._notices(context),
            seconds=seconds,
        )

    def _notices(self, context: Context) -> list[Notice]:
        """What is noticed of the judge, and what the supervisor assumed of a run that nobody described."""
        found = notices(context)
        known = {notice.sentence for notice in found}
        told = [Notice(kind="assumed", sentence=each) for each in self.job.warnings if each not in known]
        return [*found, *told]
