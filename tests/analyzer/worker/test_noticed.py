"""A judge whose labels are the wrong way round, from the checkpoint to the pages and the last line of `analyze`."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest

from analyzer.checkpoints.fingerprint import fingerprint
from analyzer.commands.analyse import _report
from analyzer.jobs.messages import Job, WorkerOptions
from analyzer.supervisor.checkpoint_row import Row
from analyzer.supervisor.plan import Plan
from analyzer.supervisor.schedule import Point
from analyzer.worker.__main__ import computations
from analyzer.worker.one_job import Analyst
from analyzer.worker.warm_judge import WarmJudge
from shared.prompts.probes import write_probes
from shared.records import CheckpointState, JudgeRecord, RunRecord
from shared.results import ResultStore
from shared.run import Run
from shared.views import suite_views
from tests.making.job_bench import FAST
from tests.making.noticed_judges import classifier, probes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The basic suite of a judge that learned class 0 as safe and is read with class 0 as unsafe."""
    path = tmp_path_factory.mktemp("noticed") / "run"
    source = path / "checkpoint-10"
    model, tokenizer = classifier("bert")
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    (source / "trainer_state.json").write_text(json.dumps({"global_step": 10, "epoch": 1.0, "log_history": []}))
    write_probes(path / "probes.jsonl", probes(3))
    job = Job(
        id="job", run=path, out=path, checkpoint=source.name, step=10, epoch=1.0, directory=source, source=source,
        files=list(fingerprint(source)), pinned=False, probes=path / "probes.jsonl",
        record=RunRecord(judge=JudgeRecord(safe_id=1, unsafe_id=0)),
        analyses=[view.name for view in suite_views("basic")],
    )  # fmt: skip
    Analyst(WarmJudge("cpu"), computations(WorkerOptions(overrides=FAST)), 4096).carry_out(job, lambda _: None)
    return Run(path, path)


def test_every_result_of_every_analysis_warns(run: Run) -> None:
    store = ResultStore(run.results)
    for view in suite_views("basic"):
        record = store.newest("checkpoint-10", view.name)
        assert record is not None, view.name
        (found,) = record.notices
        assert (found.kind, found.level) == ("inverted", "error")
        assert "AUC 0.00 [0.00," in found.sentence and record.warnings[0] == found.sentence
        assert "pass --unsafe-label 1 (unsafe)" in found.sentence


def test_every_page_begins_with_it(run: Run) -> None:
    pages = list(run.visualizations.glob("*.html"))
    assert len(pages) > 10
    for page in pages:
        head, _, rest = page.read_text(encoding="utf-8").partition("<h1>")
        assert rest and "are the labels the wrong way round?" in head, page.name


def test_analyze_ends_with_it(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    rows = [Row(Point("checkpoint-10", 10, 1.0), CheckpointState.DONE)]
    watched = SimpleNamespace(run=run, rows=rows, fault="", queue_blocked=False)
    with caplog.at_level(logging.WARNING, "analyzer.commands.analyse"):
        _report(SimpleNamespace(runs={"run": watched}, unusable={}, nothing_started=True), Plan(), ())  # type: ignore[arg-type]
    (last,) = [entry.getMessage() for entry in caplog.records]
    assert last.startswith("run: Unsafe prompts score lower") and "--unsafe-label 1" in last
