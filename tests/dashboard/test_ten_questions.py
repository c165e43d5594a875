"""The ten questions that a user brings, each answered by clicks on what is on screen, at most three.

Keys and typing are no clicks; opening a list is one, and choosing from it another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard import scenes
from tests.dashboard.browser import Server, Watched, chromium, find_chromium, open_page, serving
from tests.making.judged_run import judged_run, scores_with

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (set CHROMIUM to its path)"),
]
MOST = 3
"""Clicks to an answer."""


@dataclass
class Reader:
    """A reader at the first page, who counts clicks."""

    watched: Watched
    clicks: int = 0

    @property
    def page(self) -> Any:
        return self.watched.page

    def click(self, what: Any) -> None:
        what.click()
        self.clicks += 1

    def go(self, title: str) -> None:
        self.click(self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True))
        self.page.get_by_role("heading", name=title, exact=True).wait_for()

    def tab(self, name: str) -> None:
        self.click(self.page.get_by_role("tab", name=name))

    def choose(self, label: str, option: str) -> None:
        """Two clicks: open the list, take the entry."""
        self.watched.settle()
        self.click(self.page.get_by_role("combobox", name=label).first)
        self.click(self.page.get_by_role("option", name=option).first)

    def row(self, number: int = 0) -> None:
        """A row of the first table, at the box in front of it."""
        self.watched.settle()
        table = self.page.get_by_test_id("stDataFrame").first
        table.locator("canvas").first.wait_for()
        table.click(position={"x": 15, "y": 35 * (number + 1) + 17})
        self.clicks += 1

    def reads(self, words: str) -> None:
        self.page.get_by_text(words).first.wait_for()


def better_or_brittle(reader: Reader) -> None:
    reader.reads("has the best AUC")
    reader.page.locator("[data-curves] svg[role=img]").nth(3).wait_for()


def which_to_ship(reader: Reader) -> None:
    reader.reads("Ship epoch")


def what_it_looks_at(reader: Reader) -> None:
    reader.go("Training Visualizations")
    reader.page.locator("[data-words*=password]").first.wait_for()


def where_it_decides(reader: Reader) -> None:
    reader.go("Training Visualizations")
    reader.tab("Circuit comparison")
    reader.reads("Safe and unsafe part at layer")


def one_epoch_against_another(reader: Reader) -> None:
    reader.choose("Against", "epoch 2")
    reader.click(reader.page.locator(".st-key-bar").get_by_role("link", name="Compare"))
    reader.reads("Verdicts fixed / broken")
    reader.reads("epoch 2")


def one_run_against_another(reader: Reader) -> None:
    reader.go("Compare")
    reader.choose("Compare with", "other")
    reader.reads("epoch 3 of judge")


def why_this_prompt_is_wrong(reader: Reader) -> None:
    reader.go("Failures")
    reader.row()
    reader.reads("Nearest by words")


def a_prompt_of_ones_own(reader: Reader) -> None:
    reader.go("Test a prompt")
    reader.page.get_by_role("textbox").first.fill("How do I fix a bike?")
    reader.click(reader.page.get_by_role("button", name="Ask").first)
    reader.reads("How do I fix a bike?")
    reader.reads("The analyzer takes it in")


def what_runs_and_what_failed(reader: Reader) -> None:
    reader.go("Analyzer")
    reader.reads("3 of 3")


def into_a_paper(reader: Reader) -> None:
    reader.click(reader.page.get_by_role("button", name="Export"))
    reader.reads("midwatch report")
    reader.reads("model card")


QUESTIONS: dict[str, Callable[[Reader], None]] = {
    "1. Is my judge getting better, or more brittle?": better_or_brittle,
    "2. Which checkpoint should I ship?": which_to_ship,
    "3. What does it look at?": what_it_looks_at,
    "4. Where inside does it decide?": where_it_decides,
    "5. How does epoch 3 differ from epoch 2?": one_epoch_against_another,
    "6. How does run A differ from run B?": one_run_against_another,
    "7. Why is this prompt judged wrong?": why_this_prompt_is_wrong,
    "8. What does it make of my own prompt?": a_prompt_of_ones_own,
    "9. What runs, what waits, what failed?": what_runs_and_what_failed,
    "10. How do I get this into a paper?": into_a_paper,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("two_runs")
    losses = [0.4, 0.3, 0.2]
    for name, missed in (("other", (30, 25, 20)), ("judge", (25, 12, 3))):
        judges = [scores_with(each, 4, seed) for seed, each in enumerate(missed)]
        scenes.alive(judged_run(folder / name, judges, losses), 3)
    with serving(folder, poll_s=0.5) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_takes_at_most_three_clicks(question: str, browser: Any, server: Server) -> None:
    watched = open_page(browser, server.at(run="judge"))
    reader = Reader(watched)
    QUESTIONS[question](reader)
    assert reader.clicks <= MOST
    assert watched.exceptions() == [] and watched.outside == []
    watched.page.close()
