"""The numbers that trackers get are those of `epoch_{N}_metrics.json`, and the summaries of the other analyses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analyzer.tracking.numbers import LOGGED, Reader
from analyzer.tracking.tracker import discreet, plain
from shared.pages.render import render_checkpoint
from shared.results import ResultStore
from shared.results_index import ResultsIndex
from shared.run import Run
from tests.making.fake_run import make_fake_run

CHECKPOINT = "checkpoint-240"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_fake_run(tmp_path_factory.mktemp("numbers") / "judge", epochs=2, advanced=True)


def files_of(run: Run):
    index = ResultsIndex(run.results)
    index.refresh()
    return index.files()


def test_each_number_of_the_metrics_file_is_sent_under_its_name(run: Run) -> None:
    render_checkpoint(run, CHECKPOINT)
    written = json.loads((run.visualizations / "epoch_2_metrics.json").read_text())
    numbers = Reader().numbers(CHECKPOINT, files_of(run)[CHECKPOINT])
    sent = {name.partition("/")[2]: value for name, value in numbers.values.items()}
    of_the_file = {
        name: value
        for name, value in written.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in ("epoch", "step")
    }
    ours = {name: value for name, value in of_the_file.items() if not name.startswith(LOGGED)}
    assert len(ours) > 60 and len(ours) < len(of_the_file)
    assert {name: sent.get(name) for name in ours} == ours
    assert (numbers.step, numbers.epoch) == (240, 2.0)


def test_analyses_that_the_file_leaves_out_send_their_summary(run: Run) -> None:
    record = ResultStore(run.results).newest(CHECKPOINT, "circuits")
    assert record is not None and record.summary
    values = Reader().numbers(CHECKPOINT, files_of(run)[CHECKPOINT]).values
    assert {name: values[f"circuits/{name}"] for name in record.summary} == record.summary


def test_a_result_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "judge", epochs=1)
    files = files_of(run)
    damaged = files["checkpoint-120"]["calibration"]
    Path(damaged.path).write_text("{")
    reader = Reader()
    kept = reader.readable(files)["checkpoint-120"]
    assert kept.keys() == files["checkpoint-120"].keys() - {"calibration"}
    assert list(reader.faults) == [damaged.path] and "not valid JSON" in reader.faults[damaged.path]
    assert not any(name.startswith("calibration/") for name in reader.numbers("checkpoint-120", kept).values)


def test_names_hold_nothing_that_a_tracker_refuses() -> None:
    assert plain("progress/baseline_tf-idf.v2_auc") == "progress/baseline_tf-idf.v2_auc"
    assert plain("progress/base\nline<é>/x") == "progress/base_line___/x"
    assert plain("a//b") == "a/_/b"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:secret@host/path is away", "https://host/path is away"),
        ("http://host/x?write_token=secret&b=c: no", "http://host/x no"),
        ("Max retries exceeded (Caused by X('secret'))", "Max retries exceeded"),
    ],
)
def test_what_a_library_says_of_a_url_loses_its_credentials(text: str, told: str) -> None:
    assert discreet(RuntimeError(text)) == told
