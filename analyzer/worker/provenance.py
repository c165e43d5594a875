"""The record of a result: what was computed, on what, by which version, and what a reader should be told."""

from __future__ import annotations

import time
from collections.abc import Sequence

from analyzer.analyses import Outcome
from analyzer.checkpoints.digest import ContentDigest
from analyzer.jobs.keys import key_settings
from analyzer.jobs.messages import Computation, Job
from analyzer.model.judge import judge_facts
from analyzer.session.context import Context
from shared.records import Notice
from shared.results import ResultRecord, payload_of
from shared.version import __version__


def provenance(
    job: Job,
    context: Context,
    outcome: Outcome,
    *,
    analysis: str,
    computation: Computation,
    key: str,
    digest: ContentDigest,
    probe_digest: str,
    warnings: Sequence[str],
    notices: Sequence[Notice],
    seconds: float,
) -> ResultRecord:
    """The record of one analysis that took `seconds`; `warnings` are those of the probe set and the computation.

    The sentences of `notices` come first, then those of the job and the judge; a leak of probe prompts into the
    training comes last.
    """
    judge, leaks = context.judge, context.leak_count
    sentences = (notice.sentence for notice in notices)
    told = [*sentences, *job.warnings, *judge.warnings, *context.left_out, *warnings]
    if leaks:
        told.append(f"{leaks} of {len(context.probe_set)} probe prompts were trained on: scores flatter.")
    return ResultRecord(
        analysis=analysis,
        analysis_version=computation.version,
        checkpoint=job.checkpoint,
        step=job.step,
        epoch=job.epoch,
        key=key,
        checkpoint_digest=digest.digest,
        probe_digest=probe_digest,
        settings=key_settings(computation, job.record.judge),
        judge=judge_facts(judge) | {"frozen_boundary": context.frozen_boundary},
        device=judge.device,
        dtype=judge.dtype,
        seed=context.seed,
        analyzer_version=__version__,
        created_at=time.time(),
        duration_s=seconds,
        order_unverified=job.order_unverified,
        warnings=list(dict.fromkeys(told)),
        notices=list(notices),
        summary=dict(outcome.summary),
        payload=payload_of(outcome.result),
    )
