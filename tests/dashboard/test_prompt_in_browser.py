"""*Test a prompt* in a real Chromium: what is typed and not sent yet, a click on a word, and hostile prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.requests.folder import entries, read_request
from shared.requests.record import Ask
from tests.dashboard import scenes
from tests.dashboard.browser import Server, chromium, find_chromium, open_page, serving, wait_until
from tests.making.fake_answers import TEXT, answered, fake_question
from tests.making.waiting import LIMIT_S

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (set CHROMIUM to its path)"),
]


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


def test_what_is_typed_survives_updates_and_is_what_is_asked(browser: Any, server: Server, folder: Path) -> None:
    run = scenes.done(folder, 2, "typed")
    page = open_page(browser, server.at("prompt", run="typed")).page
    area = page.get_by_role("textbox", name="Prompt")
    area.press_sequentially("half typed")
    scenes.alive(run, 2, state="waiting", message="A message that is new.")
    page.get_by_text("A message that is new.").wait_for()
    assert area.input_value() == "half typed"
    area.press_sequentially(" text")
    page.get_by_role("button", name="Ask", exact=True).click()
    (name,) = wait_until(lambda: [entry.name for entry in entries(run)], LIMIT_S)
    what = read_request(run.requests / name).what
    assert isinstance(what, Ask) and what.prompts[0].text == "half typed text"
    wait_until(lambda: f"asked={name.removesuffix('.json')}" in page.evaluate("location.href"), LIMIT_S)


def test_a_click_on_a_word_offers_to_change_it(browser: Any, server: Server, folder: Path) -> None:
    run = scenes.done(folder, 2, "clicked")
    name = answered(run, fake_question(run, steps=[120, 240]))
    page = open_page(browser, server.at("prompt", run="clicked", asked=name)).page
    page.get_by_role("button", name="kill").first.click()
    page.get_by_label("Put in its place").press_sequentially("stop")
    page.get_by_role("button", name="Replace", exact=True).click()
    (filed,) = wait_until(lambda: list(entries(run)), LIMIT_S)
    what = read_request(run.requests / filed.name).what
    assert isinstance(what, Ask)
    (edit,) = what.prompts[0].edits
    assert (TEXT[edit.start : edit.end], edit.word) == ("kill", "stop")


@pytest.mark.parametrize("why", ["words", "nearest"])
def test_a_hostile_prompt_stays_text(why: str, browser: Any, server: Server, folder: Path) -> None:
    run = scenes.done(folder, 1, f"hostile-{why}")
    text = " ".join(scenes.INJECTIONS[:3])
    name = answered(run, fake_question(run, text, twin="", steps=[120]))
    watched = open_page(browser, server.at("prompt", run=run.name, asked=name, why=why))
    watched.page.get_by_text("epoch 1: ").first.wait_for()
    watched.wait_for_figure()
    assert watched.page.evaluate("window.pwned") is None and watched.outside == [] and watched.dialogs == []
    assert watched.exceptions() == []
