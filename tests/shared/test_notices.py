"""Notices: typed, tolerant, at the top of every page, and gone once somebody said what was only assumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.files import write_record
from shared.notices import PROBES_ASSUMED, newest_notices, standing
from shared.pages.render import render_checkpoint
from shared.records import JudgeRecord, Notice, RunRecord
from shared.results import ResultRecord, ResultStore
from shared.run import Run
from tests.making.fake_run import make_fake_run
from tests.making.fakes import fake_records

INVERTED = Notice(kind="inverted", level="error", sentence="AUC 0.02 <b>on</b> 64: the wrong way round?")
ASSUMED = Notice(kind="assumed", sentence="Class 1 is taken as unsafe.")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two epochs; the newest result of the second says two things."""
    made = make_fake_run(tmp_path / "run", epochs=2)
    store = ResultStore(made.results)
    for record in fake_records(2):
        if record.step == 240:
            store.remove(record.checkpoint, record.analysis, record.key)
            said = [notice.sentence for notice in (INVERTED, ASSUMED)]
            store.commit(record.model_copy(update={"notices": [INVERTED, ASSUMED], "warnings": said}))
    return made


def describe(run: Run, *assumed: str) -> None:
    write_record(run.record, RunRecord(judge=JudgeRecord(assumed=assumed), writer="init"))


def test_an_older_reader_and_an_older_result_survive() -> None:
    newer = {"kind": "new kind", "level": "catastrophe", "sentence": "Something.", "more": 1}
    assert Notice.model_validate(newer) == Notice(kind="new kind", level="warning", sentence="Something.")
    old = {name: value for name, value in fake_records(1)[0].model_dump(mode="json").items() if name != "notices"}
    assert ResultRecord.model_validate(old).notices == []


def test_the_newest_result_of_the_newest_checkpoint_speaks(run: Run) -> None:
    describe(run, ASSUMED.sentence)
    assert newest_notices(run) == [INVERTED, ASSUMED]
    store = ResultStore(run.results)
    old = store.newest("checkpoint-240", "layers")
    assert old is not None
    store.commit(old.model_copy(update={"key": "0" * 20, "notices": [], "created_at": old.created_at + 1}))
    assert newest_notices(run) == [], "somebody has set it right"
    assert newest_notices(Run(run.path / "nothing", run.path / "nothing")) == []


def test_what_was_assumed_is_gone_once_it_was_said(run: Run) -> None:
    run.record.unlink(missing_ok=True)
    assert standing(run, [INVERTED, ASSUMED]) == [INVERTED, ASSUMED], "nobody has described the run"
    describe(run)
    assert standing(run, [INVERTED, ASSUMED]) == [INVERTED]
    describe(run, "Something else.", ASSUMED.sentence)
    assert standing(run, [INVERTED, ASSUMED]) == [INVERTED, ASSUMED]


def test_the_shipped_prompts_stay_assumed_in_a_run_whose_record_says_nothing_of_probes(run: Run) -> None:
    shipped = Notice(kind="assumed", sentence=PROBES_ASSUMED)
    describe(run)
    assert standing(run, [shipped, ASSUMED]) == [shipped]


def test_the_numbers_of_a_checkpoint_list_only_what_stands(run: Run) -> None:
    describe(run)
    render_checkpoint(run, "checkpoint-240")
    values = json.loads((run.visualizations / "epoch_2_metrics.json").read_text())
    assert [each["kind"] for each in values["notices"]] == ["inverted"]


def test_no_page_tells_what_was_assumed_once_it_was_said(run: Run) -> None:
    describe(run)
    render_checkpoint(run, "checkpoint-240")
    pages = sorted(run.visualizations.glob("*.html"))
    assert len(pages) > 10
    assert not [page.name for page in pages if ASSUMED.sentence in page.read_text(encoding="utf-8")]


def test_every_page_begins_with_them(run: Run) -> None:
    describe(run, ASSUMED.sentence)
    render_checkpoint(run, "checkpoint-240")
    render_checkpoint(run, "checkpoint-120")
    pages = sorted(run.visualizations.glob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        noticed = not page.name.startswith("epoch_1_")
        assert ('<section class="notice error" role="alert"' in text) is noticed, page.name
        assert ('<section class="notice warning"' in text) is noticed, page.name
        if noticed:
            assert text.index("notice error") < text.index("<h1>") and "AUC 0.02 &lt;b&gt;on" in text
            assert text.count("the wrong way round?") == 1, "and not again below the figure"
    values = json.loads((run.visualizations / "epoch_2_metrics.json").read_text())
    assert [each["kind"] for each in values["notices"]] == ["inverted", "assumed"]
    assert INVERTED.sentence in values["warnings"] and values["ece"] > 0 and values["tpr_at_fpr_1"] > 0
    assert values["fpr_1_resolved"] is False and "threshold_at_fpr_5_low" in values
