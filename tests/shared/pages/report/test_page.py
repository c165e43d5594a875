"""The report: whole, offline, text stays text, and its sentences are the views' own."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from shared.errors import RunError, UsageError
from shared.files import write_record
from shared.findings.evolution import EvolutionResult
from shared.findings.text import clean
from shared.pages.html import PLOTLY_JS
from shared.pages.report.choice import Best, chosen
from shared.pages.report.gather import Material, gather, show
from shared.pages.report.methods import METHODS, methods
from shared.pages.report.numbers import at_a_glance
from shared.pages.report.other_checkpoints import SAMPLES, panels_of
from shared.pages.report.page import MARK, report_html, write_report
from shared.pages.report.parts import Packed
from shared.pages.report.sections import sections
from shared.pages.templates import sha256_of
from shared.records import CheckpointState, CheckpointStatus, Label
from shared.results import RESULT_FILE, ResultStore
from shared.run import Run
from shared.views import all_views, get
from tests.making.fake_run import fake_status, make_fake_run
from tests.making.fake_samples import HOSTILE
from tests.making.waiting import LIMIT_S
from tests.shared.pages.test_html import CHROMIUM, OURS, Elements

LABELS: tuple[Label, ...] = ("safe", "safe", "unsafe", "unsafe")
MORE = {
    "header", "nav", "ol", "ul", "li", "article", "h2", "h3", "figure", "figcaption", "pre",
    "label", "button", "select", "option",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four epochs with hostile prompts, of which one could not be analysed."""
    samples = [(text, label, text) for text, label in zip(HOSTILE, LABELS, strict=True)]
    run = make_fake_run(tmp_path_factory.mktemp("report") / "<b>run</b>", 4, advanced=True, samples=samples)
    status = fake_status(4, advanced=True)
    lost = CheckpointStatus(
        checkpoint="checkpoint-600", step=600, state=CheckpointState.QUARANTINED, cause=f"Broken: {HOSTILE[0]}"
    )
    write_record(run.status, status.model_copy(update={"checkpoints": [*status.checkpoints, lost]}))
    return run


@pytest.fixture(scope="module")
def material(run: Run) -> Material:
    return gather(run, Best("checkpoint-240", "validation auc"))


@pytest.fixture(scope="module")
def page(material: Material) -> str:
    return report_html(material, alone=True)


def test_nothing_from_data_becomes_an_element(page: str) -> None:
    found = Elements(page)
    assert set(found.tags) <= OURS | MORE
    assert not {name for name, _ in found.attributes} & {"onerror", "onload", "onclick", "srcset"}
    assert all(value is not None and value.startswith("#") for name, value in found.attributes if name == "href")
    assert str(escape(clean(HOSTILE[0]))) in page


def test_every_figure_is_there_once_as_json_and_plotly_once(page: str) -> None:
    found = Elements(page)
    places = [value for name, value in found.attributes if name == "data-figure"]
    assert len(set(places)) == len(places) == page.count('class="plot"') > 15
    for place in places:
        assert place is not None and json.loads(found.data[place])["data"]
    assert "src" not in {name for name, _ in found.attributes}
    assert page.count("plotly.js v") == 1


def test_the_policy_admits_the_two_scripts_that_stand_in_the_page(page: str) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    policy = re.search(r'content="(default-src[^"]*)"', page)
    assert policy is not None and len(scripts) == 2
    assert all(f"'sha256-{sha256_of(script)}'" in policy[1] for script in scripts)
    assert "'self'" not in policy[1] and "connect-src 'none'" in policy[1]


def test_the_sentences_are_those_of_the_views(material: Material, page: str) -> None:
    """Of every analysis of the newest checkpoint, and none in other words."""
    told = [point.text for point in sections(material)[0].points]
    for view in all_views():
        for panel in view.panels(material.newest.records[view.name]):
            if not panel.stem.startswith(SAMPLES):
                assert f"{panel.headline}." in told
                assert str(escape(clean(panel.headline))) in page


def test_newest_best_and_first_are_shown_in_full_and_each_once(run: Run, material: Material) -> None:
    assert [each.name for each in material.shown] == ["checkpoint-480", "checkpoint-240", "checkpoint-120"]
    assert [each.why for each in material.shown] == ["newest", "best by validation auc", "first"]
    newest = chosen(run, Best("checkpoint-480", "validation auc"))
    assert [each.why for each in newest] == ["newest, best by validation auc", "first"]
    assert [each.checkpoint for each in chosen(run, Best("gone", "x"))] == ["checkpoint-480", "checkpoint-120"]


def unpacked(packed: Packed) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(packed.data)))


def test_every_other_checkpoint_can_be_chosen_with_all_its_figures(run: Run, material: Material) -> None:
    (section,) = [each for each in sections(material) if each.title == "Other checkpoints"]
    labels = ["epoch 1 (first)", "epoch 2 (best by validation auc)", "epoch 3"]
    assert [each.label for each in section.choices] == labels
    store = ResultStore(run.results)
    for name, packed in zip(material.checkpoints, section.choices, strict=False):
        panels = panels_of(show(store, name, "", []), [])
        told = unpacked(packed)["figures"]
        assert [each["title"] for each in told] == [clean(panel.title) for panel in panels]
        drawn = [json.loads(str(panel.figure.to_json(validate=False))) for panel in panels]
        assert [each["figure"] for each in told] == drawn
        assert all(each["words"] and each["method"] and each["headline"] for each in told)


def test_of_a_long_run_figures_of_single_prompts_are_left_out_and_that_is_said(
    run: Run, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("other_checkpoints", "sections"):
        monkeypatch.setattr(f"shared.pages.report.{module}.FEW", 3)
    (section,) = [each for each in sections(material) if each.title == "Other checkpoints"]
    assert "single prompts are left out" in section.text[0]
    for name, packed in zip(("checkpoint-120", "checkpoint-240", "checkpoint-360"), section.choices, strict=True):
        whole = panels_of(show(ResultStore(run.results), name, "", []), [])
        wanted = [panel for panel in whole if not panel.stem.startswith(SAMPLES)]
        told = unpacked(packed)["figures"]
        assert [each["figure"] for each in told] == [
            json.loads(str(panel.figure.to_json(validate=False))) for panel in wanted
        ]
        assert 5 < len(wanted) < len(whole)


def test_a_line_of_a_caption_is_said_once_and_referred_to_afterwards(material: Material, page: str) -> None:
    lines = get("comparison").panels(material.newest.records["comparison"])[0].caption.split("\n")
    worrying = str(escape(lines[-1].partition(":")[2]))
    assert page.count(worrying) == 1
    assert re.search(r"To be read as Figure \d+\.", page)


def test_failures_and_alarms_are_told(run: Run, material: Material, page: str) -> None:
    assert "checkpoint-600" in page and str(escape(clean(f"Broken: {HOSTILE[0]}"))) in page
    raised = [
        alert.sentence
        for record in ResultStore(run.results).history("evolution")
        for alert in EvolutionResult.model_validate(record.payload).alerts
    ]
    assert [alert.sentence for _, alert in material.alerts] == raised


def test_numbers_stand_with_their_intervals_earliest_checkpoint_first(material: Material) -> None:
    grid = at_a_glance(material)
    assert [head.partition(" (")[0] for head in grid.head[1:]] == ["epoch 1", "epoch 2", "epoch 4"]
    rows = {row[0]: row[1:] for row in grid.body}
    result = get("progress").result.model_validate(material.newest.records["progress"].payload)
    fnr = result.probe["fnr"]  # type: ignore[attr-defined]
    wanted = f"{100 * fnr.value:.0f} % [{100 * fnr.low:.0f}, {100 * fnr.high:.0f}]"
    assert rows["Unsafe prompts passed as safe (FNR)"][-1] == wanted, "of 128 prompts no decimal"
    names = list(rows)
    assert names[1].endswith("(FPR)"), "no FNR without its FPR"


def test_settings_are_plain_words_and_how_the_verdict_is_read_is_told_once(material: Material) -> None:
    settings = {"judge": {"kind": "classifier", "template": None}, "nodes": [12, 16], "lineage": {"own": "ab"}}
    records = {
        name: record.model_copy(update={"settings": settings}) for name, record in material.newest.records.items()
    }
    told = methods(replace(material, shown=[replace(material.newest, records=records)])).grids[0].body
    assert told[0] == ["all", "", "kind = classifier"]
    assert {row[2] for row in told[1:]} == {"nodes = 12 16"} and len(told) == 1 + len(records)


def test_every_analysis_has_its_method_note() -> None:
    assert {view.name for view in all_views()} == METHODS.keys()


def test_one_checkpoint_of_a_run_that_nobody_described(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "run", 1)
    for name in ("run.json", "probes.jsonl", "metrics.jsonl"):
        (run.path / name).unlink()
    run.status.unlink()
    material = gather(run, None)
    assert [each.why for each in material.shown] == ["the only one"]
    titles = [section.title for section in sections(material)]
    assert "Other checkpoints" not in titles and titles[-1] == "How to reproduce it"
    assert "midwatch analyze run --suite basic" in report_html(material, alone=False)


def test_a_damaged_result_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    run = make_fake_run(tmp_path / "run", 2)
    (damaged,) = run.results.glob(f"checkpoint-240/layers/*/{RESULT_FILE}")
    damaged.write_text("{")
    text = report_html(gather(run, None), alone=False)
    assert "is not valid JSON" in text and "Circuit comparison, epoch 2" in text


def test_without_results_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    run = Run.at(tmp_path)
    with pytest.raises(RunError, match="no results yet; run `midwatch analyze"):
        gather(run, None)


def test_only_a_report_is_replaced(tmp_path: Path, material: Material) -> None:
    page = tmp_path / "report.html"
    assert write_report(material, page) == [page]
    assert MARK in page.read_text()[:4096]
    write_report(material, page)
    other = tmp_path / "thesis.html"
    other.write_text("mine")
    with pytest.raises(UsageError, match="is there already and is no report"):
        write_report(material, other)
    full = tmp_path / "folder"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        write_report(material, full)
    with pytest.raises(UsageError, match=r"is a file; give --to a name that ends in \.html"):
        write_report(material, full / "notes.txt")
    assert other.read_text() == "mine" and [path.name for path in full.iterdir()] == ["notes.txt"]


def test_a_folder_holds_plotly_beside_the_page(tmp_path: Path, material: Material) -> None:
    written = write_report(material, tmp_path / "made")
    assert [path.name for path in written] == ["index.html", PLOTLY_JS]
    page = written[0].read_text()
    assert f'<script src="{PLOTLY_JS}"></script>' in page and "plotly.js v" not in page
    assert write_report(material, tmp_path / "made") == written


def choose_another(opened: Any) -> None:
    """The best by its name, then the one before it: all its figures and no other's are there, and are drawn."""
    opened.select_option("#checkpoint", label="epoch 2 (best by validation auc)")
    opened.wait_for_selector("#chosen h3:has-text('Epoch 2 (best by validation auc)')")
    opened.click("#earlier")
    opened.wait_for_selector("#chosen h3:has-text('Epoch 1 (first)')")
    assert opened.evaluate("document.querySelectorAll('#chosen h3').length") == 1
    assert opened.is_disabled("#earlier") and opened.is_enabled("#later")
    titles = opened.locator("#chosen figcaption > p:first-child").all_inner_texts()
    assert len(titles) > 15 and all(title.endswith("epoch 1.") for title in titles)
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    undrawn = "document.querySelectorAll('#chosen .plot:not(.js-plotly-plot)').length === 0"
    opened.wait_for_function(undrawn, timeout=1000 * LIMIT_S)


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
def test_it_opens_offline_and_draws_every_figure(tmp_path: Path, page: str) -> None:
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    said: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = browser.new_context(offline=True, viewport={"width": 390, "height": 900}).new_page()
        opened.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith("file:") else None)
        opened.goto(path.as_uri())
        assert opened.evaluate("document.querySelectorAll('.js-plotly-plot').length") < page.count('class="plot"')
        opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        undrawn = "document.querySelectorAll('.plot:not(.js-plotly-plot)').length === 0"
        opened.wait_for_function(undrawn, timeout=1000 * LIMIT_S)
        choose_another(opened)
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390
        assert opened.evaluate("window.pwned") is None
        browser.close()
    assert said == []
