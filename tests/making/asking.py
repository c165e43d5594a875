"""Requests for tests of the supervisor, and an engine's behaviour that answers them without a model."""

from __future__ import annotations

from analyzer.checkpoints.digest import compute_digest
from analyzer.checkpoints.soundness import validate
from analyzer.jobs.answer_keys import ASK_VERSION, answer_key, answer_settings, heads_key
from analyzer.jobs.messages import Event, Job
from analyzer.jobs.result_index import StoreIndex
from analyzer.jobs.tasks import AskTask
from shared.answers import ASK, answer_store
from shared.prompts.probes import read_probes
from shared.requests.record import Ask, AskedPrompt
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from tests.making.fake_engine import work


def asked(text: str = "how do i bake bread", *checkpoints: str) -> Ask:
    """A prompt asked of checkpoints, by default of checkpoint-10."""
    return Ask(checkpoints=checkpoints or ("checkpoint-10",), prompts=(AskedPrompt(text=text),), parts=("score",))


def answer(job: Job) -> list[Event]:
    """Commit an empty answer to every prompt of a request; any other job is worked on as ever."""
    if not isinstance(job.task, AskTask):
        return work(job)
    run, committed = Run(job.run, job.out), []
    for prompt in job.task.prompts:
        digest = compute_digest(
            job.directory, validate(job.directory, job.source), job.checkpoint, tuple(job.files), run.digests
        ).digest
        heads = heads_key(StoreIndex(ResultStore(run.results)), job.checkpoint, digest)
        settings = answer_settings(job.task, prompt, job.record.judge, heads, None)
        record = ResultRecord(
            analysis=ASK,
            analysis_version=ASK_VERSION,
            checkpoint=job.checkpoint,
            step=job.step,
            key=answer_key(digest, read_probes(job.probes).digest, settings),
            checkpoint_digest=digest,
            probe_digest="",
            settings=settings,
        )
        if answer_store(run).commit(record):
            committed.append(Event(kind="committed", job=job.id, analysis=ASK))
    return [Event(kind="started", job=job.id), *committed, Event(kind="finished", job=job.id)]
