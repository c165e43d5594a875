"""`midwatch export` and `midwatch report` as people type them: files, sentences, exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analyzer.commands.picture_formats import formats_of
from analyzer.commands.pictures import Named, NoPictures, write_pictures
from analyzer.commands.report import best_of
from shared.findings.text import clean
from shared.pages.html import index_html
from shared.run import Run
from shared.tables.registry import described
from shared.views import get
from tests.dashboard.browser import find_chromium
from tests.making.commands_here import midwatch
from tests.making.fake_run import make_fake_run
from tests.making.fakes import fake_records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    samples = [("=1+1 <b>", "safe", ""), ("-2", "safe", ""), ("'@x", "unsafe", ""), ("\ud800 a", "unsafe", "")]
    return make_fake_run(tmp_path_factory.mktemp("export") / "run", 2, advanced=True, samples=samples)  # type: ignore[arg-type]


def test_both_forms_hold_the_same_and_say_what_it_is(run: Run, tmp_path: Path) -> None:
    for form in ("parquet", "csv"):
        done = midwatch("export", run.path, "--to", tmp_path / form, "--format", form, "--pictures", "none")
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" and "0 pictures" in done.stdout
    contents = json.loads((tmp_path / "csv" / "export.json").read_text())
    assert contents["run"] == "run" and len(contents["tables"]) == len(described())
    for table in contents["tables"]:
        parquet = pq.read_table(tmp_path / "parquet" / f"{table['name']}.parquet")
        told = {field.name: field.metadata[b"description"].decode() for field in parquet.schema}
        assert told == {column["name"]: column["words"] for column in table["columns"]}
        with (tmp_path / "csv" / f"{table['name']}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == parquet.num_rows == table["rows"]
        for name in set(told) & {"step", "word", "unit", "source", "signal"}:
            plain = [row[name].removeprefix("'") for row in rows]
            assert plain == [str(value).removeprefix("'") for value in parquet[name].to_pylist()]


def test_no_cell_is_a_formula(run: Run, tmp_path: Path) -> None:
    midwatch("export", run.path, "--to", tmp_path / "made", "--format", "csv", "--pictures", "none")
    with (tmp_path / "made" / "words.csv").open(newline="", encoding="utf-8") as file:
        words = [row["word"] for row in csv.DictReader(file)]
    assert "'=" in words and not any(word.startswith(("=", "+", "-", "@")) for word in words)


def test_a_folder_that_holds_something_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    done = midwatch("export", run.path, "--to", tmp_path / "mine", "--pictures", "none")
    assert done.returncode == 2 and "is there already; give --to another folder, or remove it." in done.stderr
    done = midwatch("export", run.path, "--pictures", "none")
    assert done.returncode == 2 and "--to DIR" in done.stderr
    done = midwatch("export", run.path, "--to", tmp_path / "x", "--pictures", "gif")
    assert done.returncode == 2 and "'gif' is none of png, svg, pdf" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_fails_half_way_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "units")

    monkeypatch.setattr("analyzer.commands.export.write_json_atomic", lambda *_, **__: full())
    done = midwatch("export", run.path, "--to", tmp_path / "made", "--pictures", "none")
    assert done.returncode == 1 and "No space left on device" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_results_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words in (("export", tmp_path / "empty", "--to", tmp_path / "made"), ("report", tmp_path / "empty")):
        done = midwatch(*words)
        assert done.returncode == 1 and "has no results yet; run `midwatch analyze" in done.stderr
        assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_without_chrome_the_tables_are_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = midwatch("export", run.path, "--to", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("No pictures: ") and done.stderr.count("\n") == 1
    assert (tmp_path / "made" / "layers.parquet").is_file() and not (tmp_path / "made" / "pictures").exists()


def test_without_kaleido_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoPictures, match=r"pip install 'midwatch\[pictures\]'"):
        write_pictures(tmp_path / "pictures", [], ["png"])


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")
def test_pictures_are_pictures(tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    panel = get("progress").panels(fake_records(1)[3])[0]
    written = write_pictures(tmp_path / "pictures", [Named("epoch_1_metrics", panel)], formats_of("pdf, PNG,svg"))
    assert [path.name for path in written] == [f"epoch_1_metrics.{each}" for each in ("png", "svg", "pdf")]
    heads = [path.read_bytes()[:4] for path in written]
    assert heads == [b"\x89PNG", b"<svg", b"%PDF"]
    assert clean(panel.headline.split()[0]) in written[1].read_text()


def test_the_report_lies_among_the_pages_and_is_linked(run: Run) -> None:
    done = midwatch("report", run.path, "--model-card")
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in run.visualizations.iterdir())
    assert made == ["index.html", "pages.js", "report.html", "report_model_card.md"]
    assert 'href="report.html"' in index_html(run.name, run.visualizations)
    assert midwatch("report", run.path, "--model-card").returncode == 0, "a second time replaces it"


def test_a_read_only_run_is_reported_from_its_own_folder(run: Run, tmp_path: Path) -> None:
    """What `--out DIR` was when it was analysed names the run and its results."""
    out = tmp_path / "out"
    elsewhere = Run.at(run.path, out)
    elsewhere.midwatch.mkdir(parents=True)
    run.results.rename(elsewhere.results)
    before = sorted(run.path.rglob("*"))
    try:
        done = midwatch("report", run.path, "--out", out)
        assert done.returncode == 0, done.stderr
        assert (out / "training_visualizations" / "report.html").is_file()
        done = midwatch("report", run.path, "--out", out, "--to", tmp_path / "r.html")
        assert done.returncode == 0 and (tmp_path / "r.html").is_file()
        assert sorted(run.path.rglob("*")) == before, "the run itself is left alone"
    finally:
        elsewhere.results.rename(run.results)


def test_a_card_of_somebody_else_is_not_replaced(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r_model_card.md").write_text("# mine")
    done = midwatch("report", run.path, "--to", tmp_path / "r.html", "--model-card")
    assert done.returncode == 2 and "r_model_card.md is there already" in done.stderr
    assert (tmp_path / "r_model_card.md").read_text() == "# mine"


def test_the_best_is_what_validation_says(run: Run) -> None:
    best = best_of(run)
    assert best is not None and best == ("checkpoint-240", "validation auc")
