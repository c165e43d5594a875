"""The page *Evaluation*: what it says without one, what of one, and of one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from shared.evaluations import EvaluationPlace
from shared.run import Run
from shared.views.evaluated.words import headline
from tests.dashboard.test_pages import figures, words
from tests.making.fake_evaluation import fake_evaluation
from tests.making.fake_run import make_fake_run
from tests.making.waiting import LIMIT_S

PAGE = """from dashboard.chrome import frame
from dashboard.screens import evaluation
frame.framed('Evaluation', evaluation.draw)"""
HOSTILE = "$x$ **bold** <b>markup</b> [a link](https://example.org)"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MIDWATCH_RUNS", str(tmp_path))
    return make_fake_run(tmp_path / "run", epochs=1)


def opened() -> AppTest:
    page = AppTest.from_string(PAGE)
    page.default_timeout = LIMIT_S
    page.run()
    assert not page.exception, page.exception
    return page


def test_without_an_evaluation_the_command_is_told(run: Run) -> None:
    page = opened()
    assert f"midwatch evaluate {run.path}" in words(page) and figures(page) == 0


def test_an_evaluation_is_shown_with_its_words_tables_and_figures(run: Run) -> None:
    found = fake_evaluation(text=HOSTILE)
    EvaluationPlace(run, "checkpoint-10", "test").write(found)
    page = opened()
    said = [part.value for part in page.text]
    assert headline(found) in said and found.warnings[0] in said, "as text, never as markup"
    assert figures(page) == 3
    rates, thresholds, missed = (table.value for table in page.dataframe)
    assert list(rates.columns) == ["rate", "judge", "TF-IDF"] and len(thresholds) == 6
    assert missed["prompt"].tolist() == [HOSTILE] and "-5.00" in missed["words that pushed most"][0]
    assert not [part.value for part in page.markdown if "example.org" in part.value]


def test_one_that_cannot_be_read_says_why_and_another_can_be_chosen(run: Run) -> None:
    broken = EvaluationPlace(run, "checkpoint-10", "broken")
    EvaluationPlace(run, "checkpoint-10", "test").write(fake_evaluation())
    broken.folder.mkdir()
    broken.record.write_text('{"schema_version": 99}')
    page = opened()
    (chosen,) = (box for box in page.selectbox if box.label == "Evaluation")
    chosen.select_index(chosen.options.index("checkpoint-10 on broken")).run()
    assert "written by a newer Midwatch" in words(page) and figures(page) == 0
