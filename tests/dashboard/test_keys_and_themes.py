"""Without a mouse, without light, in a narrow window: the pages in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard import scenes
from tests.dashboard.browser import Server, Watched, chromium, find_chromium, open_page, serving, wait_until
from tests.dashboard.test_browser import NAMELESS
from tests.making.forms import short_and_long
from tests.making.waiting import LIMIT_S

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (set CHROMIUM to its path)"),
]
FOCUSED = "() => document.activeElement?.closest('.st-key-search') !== null"
WIDER = "() => document.documentElement.scrollWidth - innerWidth"
"""Pixels by which the page is wider than its window."""
KEYS = "() => window.midwatchKeys === true && document.querySelector('.st-key-search input') !== null"
"""Whether the page listens to keys, and has the field that "/" leads to."""
PAPER = """() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor
  .match(/\\d+/g).slice(0, 3).map(Number)"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("keys")
    scenes.advanced(folder, 3, "judge")
    with serving(folder, poll_s=0.5) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def training(browser: Any, server: Server) -> Iterator[Watched]:
    watched = open_page(browser, server.at("training", run="judge"))
    watched.page.locator("[data-words]").first.wait_for()
    watched.page.wait_for_function(KEYS)
    watched.settle()
    yield watched
    assert watched.exceptions() == [] and watched.outside == []
    watched.page.close()


def test_keys_lead_to_checkpoints_tabs_and_anywhere(training: Watched) -> None:
    page = training.page
    page.keyboard.press("2")
    wait_until(lambda: training.tab() == "Layers", LIMIT_S)
    page.keyboard.press("k")
    wait_until(lambda: training.epoch() == "epoch 2", LIMIT_S)
    page.keyboard.press("/")
    wait_until(lambda: page.evaluate(FOCUSED), LIMIT_S)
    page.keyboard.type("Heads")
    page.keyboard.press("Enter")
    wait_until(lambda: training.tab() == "Heads", LIMIT_S)
    wait_until(lambda: "epoch=2" in training.address() and "tab=heads" in training.address(), LIMIT_S)


def test_digits_that_are_typed_stay_in_their_field(training: Watched) -> None:
    page = training.page
    page.keyboard.press("/")
    wait_until(lambda: page.evaluate(FOCUSED), LIMIT_S)
    page.keyboard.type("2/3")
    assert page.locator(".st-key-search input").input_value() == "2/3" and training.tab() == "Token attribution"


def test_a_word_opens_its_panel_by_keyboard_and_the_link_brings_it_back(training: Watched) -> None:
    page = training.page
    page.get_by_role("button", name="password").first.focus()
    page.keyboard.press("Enter")
    page.locator(".st-key-panel-word").wait_for()
    wait_until(lambda: "word=2." in training.address(), LIMIT_S)
    page.reload()
    page.locator(".st-key-panel-word").get_by_text("password").first.wait_for()


def test_a_figure_and_a_prompts_words_are_saved_as_pictures(training: Watched) -> None:
    page = training.page
    page.get_by_text("How to read, and the numbers").first.click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").first.click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("2")
    layers = page.get_by_role("tabpanel", name="Layers")
    layers.locator(".js-plotly-plot .main-svg").first.wait_for()
    layers.get_by_text("How to read, and the numbers").first.click()
    with page.expect_download() as saved:
        layers.get_by_role("button", name="PNG").first.click()
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")


def test_every_control_of_every_page_has_a_name(browser: Any, server: Server) -> None:
    watched = open_page(browser, server.at(run="judge"))
    links = watched.page.get_by_test_id("stSidebarNavLink")
    for number in range(links.count()):
        links.nth(number).click()
        title = links.nth(number).inner_text().splitlines()[-1]
        watched.page.get_by_role("heading", name=title, exact=True).wait_for()
        watched.settle()
        assert watched.page.evaluate(NAMELESS) == [], title
    watched.page.close()


@pytest.mark.parametrize("scheme", short_and_long(["dark", "light"]))
def test_pages_follow_the_browsers_light_and_figures_keep_their_hue(
    scheme: str, browser: Any, server: Server
) -> None:
    watched = open_page(
        browser,
        server.at("training", run="judge", tab="layers"),
        lambda page: page.emulate_media(color_scheme=scheme),
    )
    watched.wait_for_figure()
    assert (max(watched.page.evaluate(PAPER)) < 60) == (scheme == "dark")
    wait_until(lambda: watched.page.evaluate("document.documentElement.dataset.midwatch") == scheme, LIMIT_S)
    turned = watched.page.evaluate("getComputedStyle(document.querySelector('.js-plotly-plot')).filter")
    assert ("hue-rotate(180deg)" in turned) == (scheme == "dark")
    watched.page.close()


def test_no_page_is_wider_than_its_window_and_the_bar_is_low(browser: Any, server: Server) -> None:
    watched = open_page(
        browser,
        server.at("training", run="judge", tab="neurons"),
        lambda page: page.set_viewport_size({"width": 390, "height": 900}),
    )
    watched.wait_for_figure()
    watched.settle()
    page, bar = watched.page, watched.page.locator(".st-key-bar")
    for width in (390, 1024, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        wait_until(lambda: page.evaluate(WIDER) <= 0, LIMIT_S)
        if width >= 1024:
            wait_until(lambda: bar.bounding_box()["height"] <= 56, LIMIT_S)
    page.close()
