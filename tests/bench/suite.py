"""A suite's wall time, warm, job start to last commit, against the model passes it needs; one thread.

Turn about: whole jobs (digest and weights from disk, all analyses, commits), and the passes of such a job alone.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.jobs.messages import Event, Job, WorkerOptions
from analyzer.model.judge import Judge
from analyzer.session.content_cache import ContentCache
from analyzer.session.frozen_prefix import PrefixStore
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.findings.suites import Suite
from shared.views import suite_views
from tests.bench import Figure, Size, median_figure
from tests.bench._judge import RECORD, trained_run
from tests.bench._passes import recorded, replayed
from tests.bench._suites import TINY_SETTINGS

SUITES: tuple[Suite, ...] = ("basic", "advanced")
ROUNDS = {Size.FULL: 3, Size.TINY: 1}


def measure(size: Size = Size.FULL) -> list[Figure]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = trained_run(Path(folder, "run"), size)
        options = WorkerOptions(device="cpu", overrides=TINY_SETTINGS if size is Size.TINY else {})
        analyst = Analyst(WarmJudge("cpu"), computations(options), options.batch_tokens)
        return [_suite(analyst, checkpoint, suite, ROUNDS[size]) for suite in SUITES]


def _suite(analyst: Analyst, checkpoint: Path, suite: Suite, rounds: int) -> Figure:
    carried_out(analyst, checkpoint, suite)  # warm: libraries, judge
    passes = recorded(judge_of(analyst), lambda: carried_out(analyst, checkpoint, suite))
    jobs, bares = [], []
    for _ in range(rounds):
        jobs.append(carried_out(analyst, checkpoint, suite))
        bares.append(replayed(judge_of(analyst), passes))
    ratios = [job / bare for job, bare in zip(jobs, bares, strict=True)]
    note = (
        f"{statistics.median(jobs):.1f} s against {statistics.median(bares):.1f} s for {len(passes)} batches, "
        f"{sum(one.rows for one in passes):,} rows"
    )
    return median_figure(f"{suite} suite / its bare model passes", ratios, "x", bar="<= 1.5", note=note)


def carried_out(analyst: Analyst, checkpoint: Path, suite: Suite) -> float:
    """Seconds from the start of a forced job to its last commit; nothing is known from the job before."""
    analyst.warm.prefixes, analyst.warm.cache = PrefixStore(), ContentCache()
    run = checkpoint.parent
    committed: list[float] = []

    def note(event: Event) -> None:
        if event.kind == "failed":
            raise RuntimeError(event.cause)
        if event.kind == "committed":
            committed.append(time.perf_counter())

    job = Job(
        id="bench",
        run=run,
        out=run,
        checkpoint=checkpoint.name,
        step=int(checkpoint.name.partition("-")[2]),
        epoch=1.0,
        directory=checkpoint,
        source=checkpoint,
        files=list(fingerprint(checkpoint)),
        pinned=False,
        record=RECORD,
        probes=run / "probes.jsonl",
        analyses=[view.name for view in suite_views(suite)],
        force=True,
    )
    started = time.perf_counter()
    analyst.carry_out(job, note)
    return committed[-1] - started


def judge_of(analyst: Analyst) -> Judge:
    assert analyst.warm.judge is not None
    return analyst.warm.judge
