"""index.html as a page to send: verdict, small pictures and table; and the way from page to page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.pages.index import write_index
from shared.pages.small_svg import pictures
from shared.pages.ways import PAGES_JS, ways
from shared.run import Run
from shared.views.overview.curves import small_plots
from shared.views.overview.gather import facts_of_run, groups_of
from shared.views.overview.standing import standing
from tests.making.judged_run import guesses, judged_run, scores_with


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    judges = [scores_with(40, 4), scores_with(4, 4), scores_with(5, 4)]
    return judged_run(tmp_path_factory.mktemp("index") / "run", judges, [0.5, 0.3, 0.4])


def index_of(run: Run) -> str:
    run.visualizations.mkdir(exist_ok=True)
    write_index(run, ())
    return (run.visualizations / "index.html").read_text(encoding="utf-8")


def test_the_verdict_stands_first_with_pictures_and_a_table(run: Run) -> None:
    page = index_of(run)
    assert page.index("Epoch 2 has the best AUC, 0.9") < page.index("<svg") < page.index("<tbody>")
    assert "Ship epoch 2: the lowest upper bound of FNR" in page and page.count('<figure class="small">') == 4
    assert page.count("<tr>") == 4 and "worse: 36 groups worse, 0 better, p &lt; 0.0001" in page
    assert "<script" not in page and "src=" not in page, "it can be sent alone"


def test_a_judge_that_learned_nothing_is_neither_best_nor_shipped(tmp_path: Path) -> None:
    page = index_of(judged_run(tmp_path / "run", [guesses(0), guesses(1)]))
    assert "nothing to explain: the separation of unsafe and safe is" in page
    assert "has the best" not in page and "Ship " not in page and "★" not in page and "best, ship" not in page


def test_a_picture_holds_every_value_in_its_frame(run: Run) -> None:
    facts = facts_of_run(run)
    drawn = pictures(small_plots(standing(facts, groups_of(run, facts))))
    loss = drawn[2]
    assert loss.levels == (("102.0", "0.3"), ("58.0", "0.4"), ("14.0", "0.5")) and loss.x_title == "epoch"
    assert loss.ticks == (("38.0", "1"), ("134.0", "2"), ("230.0", "3"))
    assert loss.curves[0].points == ("38.0,14.0 134.0,102.0 230.0,58.0",), "highest, lowest, middle"
    assert loss.best == "134.0" and not loss.missing and not loss.curves[0].bands
    assert len(drawn[0].curves) == 2 and all(curve.bands for curve in drawn[0].curves)


def test_pages_of_one_name_follow_each_other_in_the_runs_order(tmp_path: Path) -> None:
    for name in ("epoch_10_heads", "epoch_2_heads", "final_heads", "epoch_2_words", "index", "evolution"):
        (tmp_path / f"{name}.html").touch()
    (tmp_path / "epoch_3_<img>.html").touch()
    assert ways(tmp_path, ["epoch_2", "epoch_3", "epoch_10", "final"]) == {
        "heads.html": ["epoch_2_heads.html", "epoch_10_heads.html", "final_heads.html"],
        "words.html": ["epoch_2_words.html"],
    }


def test_what_leads_on_is_written_anew_with_the_index(run: Run) -> None:
    for prefix in ("epoch_1", "epoch_2"):
        run.visualizations.mkdir(exist_ok=True)
        (run.visualizations / f"{prefix}_layers.html").touch()
    index_of(run)
    text = (run.visualizations / PAGES_JS).read_text(encoding="ascii")
    found = json.loads(text.removeprefix("window.midwatchPages = ").rstrip(";\n"))
    assert found == {"layers.html": ["epoch_1_layers.html", "epoch_2_layers.html"]}
