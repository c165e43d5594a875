"""The dashboard in a real Chromium: live updates, links, and data that tries to be markup."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.results import ResultStore
from tests.dashboard import scenes
from tests.dashboard.browser import (
    Lagging,
    Server,
    Watched,
    chromium,
    find_chromium,
    open_page,
    serving,
    wait_until,
)
from tests.making.fakes import fake_records
from tests.making.forms import short_and_long
from tests.making.waiting import LIMIT_S

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (set CHROMIUM to its path)"),
]

LATER = """() => new Promise(done => {
  const image = new Image();
  image.onerror = () => requestAnimationFrame(() => setTimeout(done));
  image.src = 'x?' + Math.random();
})"""
"""Ends when an image asked for now, the injected ones' neighbour, has failed and the page was drawn again: whatever
the page was given before has had its turn by then."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, poll_s=0.5) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def opened(browser: Any, url: str, prepare: Callable[[Any], object] = lambda page: None) -> Watched:
    watched = open_page(browser, url, prepare)
    watched.wait_for_figure()
    return watched


def commit_epoch(folder: Path, name: str, epoch: int) -> None:
    store = ResultStore(folder / name / "_midwatch" / "results")
    for record in fake_records(epoch):
        if record.step == epoch * scenes.STEPS:
            store.commit(record)


def harmless(watched: Watched) -> None:
    """No script ran, nothing outside was asked for, no style leaked, no exception shows."""
    page = watched.page
    assert watched.dialogs == [] and watched.outside == [] and watched.exceptions() == []
    assert page.evaluate("window.pwned") is None
    assert page.locator("h1").is_visible()
    assert page.locator("img[src^='http://evil']").count() == 0 and page.locator("a[href*='evil']").count() == 0
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).display") != "none"


def test_with_follow_off_new_results_move_nothing(browser: Any, server: Server, folder: Path) -> None:
    scenes.done(folder, 4, "still")
    watched = opened(browser, server.at("training", run="still", epoch=2, tab="comparison"))
    assert (watched.epoch(), watched.tab()) == ("epoch 2", "Circuit comparison")
    zoom = "() => { const g = document.querySelector('.js-plotly-plot'); return g._fullLayout.xaxis.range }"
    before = watched.page.evaluate(zoom)
    box = watched.page.locator(".js-plotly-plot .draglayer .xy .nsewdrag").first.bounding_box()
    watched.page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    watched.page.mouse.down()
    watched.page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    watched.page.mouse.up()
    wait_until(lambda: watched.page.evaluate(zoom) != before, LIMIT_S)
    zoomed, drawn = watched.page.evaluate(zoom), watched.figures()
    commit_epoch(folder, "still", 5)
    slider = watched.slider()
    wait_until(lambda: slider.get_attribute("max") == "4", LIMIT_S)
    assert (watched.epoch(), watched.tab()) == ("epoch 2", "Circuit comparison")
    assert watched.figures() == drawn and watched.page.evaluate(zoom) == zoomed
    harmless(watched)
    watched.page.close()


def test_a_burst_of_results_is_followed_to_the_end_and_none_is_missed(
    browser: Any, server: Server, folder: Path
) -> None:
    scenes.done(folder, 2, "burst")
    watched = opened(browser, server.at("training", run="burst"))
    assert watched.epoch() == "epoch 2"
    for epoch in range(3, 28):
        commit_epoch(folder, "burst", epoch)
    wait_until(lambda: watched.epoch() == "epoch 27", LIMIT_S)
    assert watched.slider().get_attribute("max") == "26", "all 27 are on the slider"
    harmless(watched)
    watched.page.close()


def test_a_page_that_is_behind_keeps_following(browser: Any, server: Server, folder: Path) -> None:
    """With every poll a page sends what it still shows: an echo of the last checkpoint, not a reader's move."""
    scenes.done(folder, 2, "behind")
    lines: list[Lagging] = []
    watched = opened(browser, server.at("training", run="behind"), lambda page: lines.append(Lagging(page)))
    lines[0].hold()
    commit_epoch(folder, "behind", 3)
    wait_until(lambda: (lines[0].sent >= 4, watched.epoch())[0], LIMIT_S)
    assert watched.epoch() == "epoch 2", "held"
    lines[0].release()
    commit_epoch(folder, "behind", 4)
    wait_until(lambda: watched.epoch() == "epoch 4", LIMIT_S)
    assert "epoch=" not in watched.address()
    watched.page.close()


def test_a_click_on_a_tab_and_a_move_are_in_the_link_and_a_reload_restores_them(
    browser: Any, server: Server, folder: Path
) -> None:
    scenes.done(folder, 5, "link")
    watched = opened(browser, server.at("training", run="link"))
    watched.page.get_by_role("tab", name="Layers").click()
    wait_until(lambda: "tab=layers" in watched.address(), LIMIT_S)
    watched.slider().press("ArrowLeft")
    wait_until(lambda: "epoch=4" in watched.address(), LIMIT_S)
    watched.page.reload()
    watched.wait_for_figure()
    wait_until(lambda: (watched.tab(), watched.epoch()) == ("Layers", "epoch 4"), LIMIT_S)
    assert "run=link" in watched.address()
    harmless(watched)
    watched.page.close()


def test_a_point_opens_its_checkpoint_and_the_choice_goes_along_to_other_pages(
    browser: Any, server: Server, folder: Path
) -> None:
    scenes.done(folder, 3, "chosen")
    watched = opened(browser, server.at(run="chosen", fpr=50))
    place = watched.page.locator("[data-curves] .small").nth(1).locator(".stop").first
    assert (place.text_content() or "").startswith("epoch 1\nAUC ")
    place.click()
    wait_until(lambda: "epoch=1" in watched.address(), LIMIT_S)
    wait_until(lambda: watched.epoch() == "epoch 1", LIMIT_S)
    watched.page.get_by_role("link", name="Analyzer").click()
    watched.page.get_by_role("heading", name="Analyzer").wait_for()
    wait_until(
        lambda: {"run=chosen", "epoch=1", "fpr=50"} <= set(watched.address().partition("?")[2].split("&")), LIMIT_S
    )
    watched.page.keyboard.press("j")
    wait_until(lambda: "epoch=2" in watched.address(), LIMIT_S)
    harmless(watched)
    watched.page.close()


def test_every_button_and_field_of_the_overview_has_a_name(browser: Any, server: Server, folder: Path) -> None:
    scenes.done(folder, 3, "names")
    watched = opened(browser, server.at("overview", run="names", epoch=2))  # an address that people guess
    assert watched.address().endswith("/?run=names&epoch=2")
    assert watched.page.locator("dialog, [role=dialog]").count() == 0, "a page that is not found"
    assert watched.page.evaluate(NAMELESS) == []
    assert watched.page.get_by_role("button", name="Previous checkpoint").count() > 0
    watched.page.close()


NAMELESS = """() => {
  const words = (each) => {
    const read = each.cloneNode(true);
    read.querySelectorAll('[aria-hidden=true]').forEach(icon => icon.remove());
    return read.textContent.trim();
  };
  return Array.from(document.querySelectorAll('[data-testid=stMain] button, [data-testid=stMain] input'))
    .filter(each => each.offsetParent !== null)
    .filter(each => !(words(each) || each.getAttribute('aria-label') || each.title || each.placeholder
      || each.getAttribute('aria-labelledby') || (each.labels && each.labels.length)))
    .map(each => each.outerHTML.slice(0, 200));
}"""
"""Buttons and fields that a reader of the screen would hear nothing of: an icon is no name. Closed folds count."""


@pytest.mark.parametrize("tab", short_and_long(scenes.TABS, 2))
def test_every_figure_has_a_name_for_those_who_cannot_see_it(
    tab: str, browser: Any, server: Server, folder: Path
) -> None:
    scenes.advanced(folder, 2, f"named-{tab}")
    watched = opened(browser, server.at("training", run=f"named-{tab}", tab=tab))
    charts = watched.page.locator("[data-testid=stPlotlyChart]")
    for number in range(charts.count()):
        assert charts.nth(number).locator("xpath=descendant-or-self::*[@aria-label]").count() > 0
    watched.page.close()


def test_a_download_holds_the_rows(browser: Any, server: Server, folder: Path) -> None:
    scenes.done(folder, 2, "rows")
    watched = opened(browser, server.at("training", run="rows", tab="comparison"))
    watched.page.get_by_text("How to read, and the numbers").first.click()
    with watched.page.expect_download() as saved:
        watched.page.get_by_role("button", name="CSV").first.click()
    text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
    assert saved.value.suggested_filename == "circuit_comparison.csv" and text.count("\n") >= 7
    watched.page.close()


@pytest.mark.parametrize("tab", short_and_long(scenes.TABS))
def test_hostile_data_stays_text_on_the_first_page(tab: str, browser: Any, server: Server, folder: Path) -> None:
    run = hostile_run(folder)
    watched = open_page(browser, server.at("training", run=run, tab=tab))
    watched.wait_for_figure()
    for more in watched.page.get_by_text("How to read, and the numbers").all():
        more.click()
    watched.page.evaluate(LATER)
    harmless(watched)
    watched.page.close()


def test_hostile_data_stays_text_on_the_analyzer_page(browser: Any, server: Server, folder: Path) -> None:
    watched = open_page(browser, server.at("analyzer", run=hostile_run(folder)))
    watched.page.get_by_text("Failed after 3 attempts").first.wait_for()
    watched.page.evaluate(LATER)
    harmless(watched)
    watched.page.close()


def hostile_run(folder: Path) -> str:
    """The name of the hostile run, made once."""
    known = [path.name for path in folder.iterdir() if "evil" in path.name]
    return known[0] if known else scenes.hostile(folder).name


def test_the_pages_ask_for_nothing_outside(browser: Any, server: Server, folder: Path) -> None:
    scenes.busy(folder)
    for page in ("", "training", "analyzer"):
        watched = open_page(browser, server.at(page, run="busy"))
        watched.page.get_by_text("2 checkpoints without results").wait_for()
        harmless(watched)
        watched.page.close()


def test_a_run_deleted_while_open(browser: Any, server: Server, folder: Path) -> None:
    run = scenes.done(folder, 2, "shortlived")
    watched = opened(browser, server.at("training", run="shortlived"))
    shutil.rmtree(run.path)
    watched.page.get_by_text("This run is not there").wait_for()
    harmless(watched)
    watched.page.close()


@pytest.mark.parametrize("width", short_and_long((390, 900)))
def test_a_narrow_window_neither_covers_nor_cuts_titles(
    folder: Path, server: Server, browser: Any, width: int
) -> None:
    if not (folder / "narrow").exists():
        scenes.done(folder, 3, "narrow")
    for page in ("", "training"):
        address = server.at(page, run="narrow")
        watched = opened(browser, address, lambda page: page.set_viewport_size({"width": width, "height": 900}))
        wait_until(lambda shown=watched: shown.page.evaluate(UNCOVERED), LIMIT_S)
        assert watched.page.evaluate(CUT) == []
        watched.page.close()


UNCOVERED = """() => {
  const title = document.querySelector('h1'), box = title.getBoundingClientRect();
  return title.contains(document.elementFromPoint(box.left + 4, box.top + box.height / 2));
}"""
CUT = """() => Array.from(document.querySelectorAll('.js-plotly-plot')).flatMap(figure =>
  Array.from(figure.querySelectorAll('.gtitle, .gtitle-subtitle'))
    .filter(title => title.getBoundingClientRect().right > figure.getBoundingClientRect().right)
    .map(title => title.textContent))"""
"""Figures' titles that are wider than their figure."""
