"""The summary's numbers are those of the run's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeys.progress import read_progress
from journeys.summary import summary
from shared.files import read_record, write_record
from shared.findings.comparison import ComparisonResult
from shared.findings.tokens import TokensResult
from shared.records import RunRecord
from shared.results import ResultStore
from shared.run import Run
from tests.making.fake_run import make_fake_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = make_fake_run(tmp_path, epochs=2)
    record = read_record(run.record, RunRecord)
    baselines = {"tfidf": {"accuracy": 0.811, "contrast_accuracy": 0.512, "test_accuracy": 0.3}}
    write_record(run.record, record.model_copy(update={"baselines": baselines}))
    return run


def test_the_judge_stands_beside_its_baseline(run: Run) -> None:
    text = summary(run, read_progress(run))
    judge = read_progress(run).rows[-1].values
    line = next(line for line in text.splitlines() if line.startswith("judge, epoch 2"))
    assert f"{judge['val']['accuracy']:.3f}" in line
    assert f"{judge['contrast']['accuracy']:.3f}" in line
    words = next(line for line in text.splitlines() if line.startswith("words only"))
    assert words.split()[-2:] == ["0.811", "0.512"]
    assert f"beats a list of words by {judge['contrast']['accuracy'] - 0.512:.3f}" in text


def test_a_judge_that_loses_to_a_list_of_words_is_said_to(run: Run) -> None:
    record = read_record(run.record, RunRecord)
    write_record(run.record, record.model_copy(update={"baselines": {"tfidf": {"contrast_accuracy": 1.0}}}))
    assert "does NOT beat a list of words" in summary(run, read_progress(run))


def test_layers_and_words_come_from_the_results(run: Run) -> None:
    text = summary(run, read_progress(run))
    store = ResultStore(run.results)
    comparison = ComparisonResult.model_validate(store.history("comparison")[-1].payload)
    assert f"epoch 2: layer {comparison.divergence_layer}" in text
    tokens = TokensResult.model_validate(store.history("tokens")[-1].payload)
    assert repr(tokens.top[0].unsafe[0].text) in text
    assert f"worst {tokens.gap_worst:.1%}" in text


def test_a_run_without_results_has_a_summary(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    assert str(run.visualizations) in summary(run, read_progress(run))
